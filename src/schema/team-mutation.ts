import type { TeamKey } from '../auth/members/team.ts';
import type { ChannelId } from '../lib/ids.ts';
import {
  channelLeave,
  channelMemberRemove,
  channelMemberRoleSet,
  channelOwnerAssign,
  channelOwnershipTransfer,
  clientKeysRevoked,
  type EndedPayload,
  type MemberPayload,
  overlayUrlChanged,
} from '../resolvers/team-mutation.ts';
import { builder } from './builder.ts';
import {
  ChannelHasOwner,
  ChannelNotFound,
  EmailUnverified,
  LastOwner,
  NotPermitted,
  OwnRole,
  TeamMemberNotFound,
  TooManyChannels,
  UserNotFound,
} from './member-refusals.ts';
import { ChannelRoleEnum } from './role-enums.ts';
import { OWNERS, platform, USER, withStepUp } from './scopes.ts';
import { TeamMember } from './team.ts';
import { resultTypename } from './user-error.ts';

/** What ended with somebody's being an owner: what they knew still opened the channel. */
const SecretsEndedInterface = builder.interfaceRef<EndedPayload>('SecretsEnded').implement({
  description: 'What opens the channel no more, because somebody who is no owner any longer knew it.',
  authScopes: USER,
  fields: (t) => ({
    overlayUrlChanged: t.boolean({
      description:
        'Whether `Channel.overlayUrl` is another one, to be put into OBS again: pages with the old one are cut off within 5 s.',
      resolve: overlayUrlChanged,
    }),
    clientKeysRevoked: t.int({
      description: 'How many keys of clients were revoked: those that the former owner had made.',
      resolve: clientKeysRevoked,
    }),
  }),
});

const CHANNELS_ADMIN = platform('CHANNELS_ADMIN');
const ROLE_REFUSALS = [
  ChannelNotFound,
  NotPermitted,
  TeamMemberNotFound,
  OwnRole,
  LastOwner,
  TooManyChannels,
  EmailUnverified,
];

const ChannelMemberRoleSetInput = builder.inputType('ChannelMemberRoleSetInput', {
  description: 'Whose role to change.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    userId: t.id({ required: true, description: 'A member of its team.' }),
    role: t.field({ type: ChannelRoleEnum, required: true, description: 'What they are to be.' }),
  }),
});
const ChannelMemberRoleSetPayload = builder
  .objectRef<MemberPayload & EndedPayload>('ChannelMemberRoleSetPayload')
  .implement({
    interfaces: [SecretsEndedInterface],
    description: 'The member has the role.',
    authScopes: OWNERS,
    fields: (t) => ({ member: t.expose('member', { type: TeamMember, description: 'The member.' }) }),
  });
const ChannelMemberRoleSetResult = builder.unionType('ChannelMemberRoleSetResult', {
  description: 'What became of `channelMemberRoleSet`.',
  types: [ChannelMemberRoleSetPayload, ...ROLE_REFUSALS],
  resolveType: resultTypename('ChannelMemberRoleSetPayload'),
});

const ChannelMemberRemoveInput = builder.inputType('ChannelMemberRemoveInput', {
  description: 'Whom to remove.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    userId: t.id({ required: true, description: 'A member of its team.' }),
  }),
});
const ChannelMemberRemovePayload = builder
  .objectRef<TeamKey & EndedPayload>('ChannelMemberRemovePayload')
  .implement({
    interfaces: [SecretsEndedInterface],
    description: 'The user is no member any more; what they had open of the channel is closed.',
    authScopes: OWNERS,
    fields: (t) => ({ userId: t.exposeID('userId', { description: 'Who was removed.' }) }),
  });
const ChannelMemberRemoveResult = builder.unionType('ChannelMemberRemoveResult', {
  description: 'What became of `channelMemberRemove`.',
  types: [ChannelMemberRemovePayload, ChannelNotFound, NotPermitted, TeamMemberNotFound, LastOwner],
  resolveType: resultTypename('ChannelMemberRemovePayload'),
});

const ChannelLeaveInput = builder.inputType('ChannelLeaveInput', {
  description: 'Which team to leave.',
  fields: (t) => ({ channelId: t.id({ required: true, description: "The channel's id." }) }),
});
const ChannelLeavePayload = builder
  .objectRef<EndedPayload & { readonly channelId: ChannelId }>('ChannelLeavePayload')
  .implement({
    interfaces: [SecretsEndedInterface],
    description: 'You are no member any more.',
    authScopes: USER,
    fields: (t) => ({ channelId: t.exposeID('channelId', { description: 'The channel that was left.' }) }),
  });
const ChannelLeaveResult = builder.unionType('ChannelLeaveResult', {
  description: 'What became of `channelLeave`.',
  types: [ChannelLeavePayload, ChannelNotFound, TeamMemberNotFound, LastOwner],
  resolveType: resultTypename('ChannelLeavePayload'),
});

const ChannelOwnershipTransferInput = builder.inputType('ChannelOwnershipTransferInput', {
  description: 'To whom to pass the channel.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    userId: t.id({ required: true, description: 'A member of its team.' }),
  }),
});
const ChannelOwnershipTransferPayload = builder
  .objectRef<MemberPayload & EndedPayload>('ChannelOwnershipTransferPayload')
  .implement({
    interfaces: [SecretsEndedInterface],
    description: 'The member owns the channel, and you are its moderator.',
    authScopes: USER,
    fields: (t) => ({ member: t.expose('member', { type: TeamMember, description: 'The new owner.' }) }),
  });
const ChannelOwnershipTransferResult = builder.unionType('ChannelOwnershipTransferResult', {
  description: 'What became of `channelOwnershipTransfer`.',
  types: [
    ChannelOwnershipTransferPayload,
    ChannelNotFound,
    NotPermitted,
    TeamMemberNotFound,
    OwnRole,
    EmailUnverified,
    TooManyChannels,
  ],
  resolveType: resultTypename('ChannelOwnershipTransferPayload'),
});

const ChannelOwnerAssignInput = builder.inputType('ChannelOwnerAssignInput', {
  description: 'Who gets a channel without an owner.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    userId: t.id({ required: true, description: 'The user, not yourself.' }),
  }),
});
const ChannelOwnerAssignPayload = builder.objectRef<MemberPayload>('ChannelOwnerAssignPayload').implement({
  description: 'The user owns the channel.',
  authScopes: CHANNELS_ADMIN,
  fields: (t) => ({ member: t.expose('member', { type: TeamMember, description: 'The owner.' }) }),
});
const ChannelOwnerAssignResult = builder.unionType('ChannelOwnerAssignResult', {
  description: 'What became of `channelOwnerAssign`.',
  types: [
    ChannelOwnerAssignPayload,
    ChannelNotFound,
    NotPermitted,
    OwnRole,
    UserNotFound,
    ChannelHasOwner,
    EmailUnverified,
    TooManyChannels,
  ],
  resolveType: resultTypename('ChannelOwnerAssignPayload'),
});

builder.mutationFields((t) => ({
  channelMemberRoleSet: t.field({
    type: ChannelMemberRoleSetResult,
    authScopes: withStepUp(OWNERS),
    args: { input: t.arg({ type: ChannelMemberRoleSetInput, required: true, description: 'Whose role.' }) },
    description:
      'Gives a member of the team another role. For owners. Nobody raises themselves. What a former owner knew ends: the overlay URL, and the client keys they made.',
    resolve: channelMemberRoleSet,
  }),
  channelMemberRemove: t.field({
    type: ChannelMemberRemoveResult,
    authScopes: withStepUp(OWNERS),
    args: { input: t.arg({ type: ChannelMemberRemoveInput, required: true, description: 'Whom.' }) },
    description: 'Takes somebody out of the team. For owners.',
    resolve: channelMemberRemove,
  }),
  channelLeave: t.field({
    type: ChannelLeaveResult,
    authScopes: USER,
    args: { input: t.arg({ type: ChannelLeaveInput, required: true, description: 'Which team.' }) },
    description: 'Leaves the team. The last owner cannot.',
    resolve: channelLeave,
  }),
  channelOwnershipTransfer: t.field({
    type: ChannelOwnershipTransferResult,
    authScopes: withStepUp(USER),
    args: { input: t.arg({ type: ChannelOwnershipTransferInput, required: true, description: 'To whom.' }) },
    description: 'Makes a member the owner and you a moderator, both or neither. For owners.',
    resolve: channelOwnershipTransfer,
  }),
  channelOwnerAssign: t.field({
    type: ChannelOwnerAssignResult,
    authScopes: withStepUp(CHANNELS_ADMIN),
    args: { input: t.arg({ type: ChannelOwnerAssignInput, required: true, description: 'Who gets what.' }) },
    description: 'Gives a channel that has no owner one. For administrators, never to themselves.',
    resolve: channelOwnerAssign,
  }),
}));
