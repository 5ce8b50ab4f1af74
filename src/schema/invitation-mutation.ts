import type { ChannelMemberRow } from '../db/channel-member.ts';
import {
  type CreatedPayload,
  channelInvitationCreate,
  channelInvitationRevoke,
  INVITATION_HOURS_DEFAULT,
  INVITATION_HOURS_MAX,
  invitationAccept,
} from '../resolvers/invitation-mutation.ts';
import { RateLimited } from './account-refusals.ts';
import { builder } from './builder.ts';
import {
  ChannelNotFound,
  EmailUnverified,
  InvitationInvalid,
  InvitationNotFound,
  NotPermitted,
  TooManyInvitations,
} from './member-refusals.ts';
import { InvitedRoleEnum } from './role-enums.ts';
import { OWNERS, USER, withStepUp } from './scopes.ts';
import { ChannelInvitation, Membership } from './team.ts';
import { InvalidInput, resultTypename } from './user-error.ts';

const ChannelInvitationCreateInput = builder.inputType('ChannelInvitationCreateInput', {
  description: 'Into which team to invite, and as what.',
  fields: (t) => ({
    channelId: t.id({ required: true, description: "The channel's id." }),
    role: t.field({
      type: InvitedRoleEnum,
      required: true,
      description: 'What it makes of who accepts it. Nobody is lowered by it.',
    }),
    email: t.string({
      description:
        'To which address to send it: then only the account with this verified address can accept it. Absent or null: a link.',
    }),
    validHours: t.int({
      required: true,
      defaultValue: INVITATION_HOURS_DEFAULT,
      description: `For how long, in hours: 1 to ${INVITATION_HOURS_MAX}.`,
    }),
  }),
});
const ChannelInvitationCreatePayload = builder
  .objectRef<CreatedPayload>('ChannelInvitationCreatePayload')
  .implement({
    description: 'The invitation is open.',
    authScopes: OWNERS,
    fields: (t) => ({
      invitation: t.expose('invitation', { type: ChannelInvitation, description: 'The invitation.' }),
      token: t.exposeString('token', {
        nullable: true,
        description:
          'What `invitationAccept` takes, shown this once: whoever has it may accept. Null when it went by e-mail.',
      }),
    }),
  });
const ChannelInvitationCreateResult = builder.unionType('ChannelInvitationCreateResult', {
  description: 'What became of `channelInvitationCreate`.',
  types: [
    ChannelInvitationCreatePayload,
    InvalidInput,
    ChannelNotFound,
    NotPermitted,
    TooManyInvitations,
    RateLimited,
  ],
  resolveType: resultTypename('ChannelInvitationCreatePayload'),
});

const ChannelInvitationRevokeInput = builder.inputType('ChannelInvitationRevokeInput', {
  description: 'Which invitation to take back.',
  fields: (t) => ({ invitationId: t.id({ required: true, description: "The invitation's id." }) }),
});
const ChannelInvitationRevokePayload = builder
  .objectRef<Pick<CreatedPayload, 'invitation'>>('ChannelInvitationRevokePayload')
  .implement({
    description: 'The invitation is good for nothing any more.',
    authScopes: OWNERS,
    fields: (t) => ({
      invitation: t.expose('invitation', { type: ChannelInvitation, description: 'The invitation.' }),
    }),
  });
const ChannelInvitationRevokeResult = builder.unionType('ChannelInvitationRevokeResult', {
  description: 'What became of `channelInvitationRevoke`.',
  types: [ChannelInvitationRevokePayload, InvitationNotFound, NotPermitted],
  resolveType: resultTypename('ChannelInvitationRevokePayload'),
});

const InvitationAcceptInput = builder.inputType('InvitationAcceptInput', {
  description: 'Which invitation to accept.',
  fields: (t) => ({
    token: t.string({ required: true, description: 'What the link or the mail brought: `tli_…`.' }),
  }),
});
const InvitationAcceptPayload = builder
  .objectRef<{ readonly membership: ChannelMemberRow }>('InvitationAcceptPayload')
  .implement({
    description: 'You belong to the channel, with this role or the higher one you had.',
    authScopes: USER,
    fields: (t) => ({
      membership: t.expose('membership', { type: Membership, description: 'What you are in it.' }),
    }),
  });
const InvitationAcceptResult = builder.unionType('InvitationAcceptResult', {
  description: 'What became of `invitationAccept`.',
  types: [InvitationAcceptPayload, EmailUnverified, InvitationInvalid],
  resolveType: resultTypename('InvitationAcceptPayload'),
});

builder.mutationFields((t) => ({
  channelInvitationCreate: t.field({
    type: ChannelInvitationCreateResult,
    // A stolen cookie must not make itself a lasting way in.
    authScopes: withStepUp(OWNERS),
    args: {
      input: t.arg({ type: ChannelInvitationCreateInput, required: true, description: 'Whom to what.' }),
    },
    description: "Invites somebody into a channel's team, for one use. For owners. Needs a fresh factor.",
    resolve: channelInvitationCreate,
  }),
  channelInvitationRevoke: t.field({
    type: ChannelInvitationRevokeResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ChannelInvitationRevokeInput, required: true, description: 'Which one.' }) },
    description: 'Takes an open invitation back. For owners.',
    resolve: channelInvitationRevoke,
  }),
  invitationAccept: t.field({
    type: InvitationAcceptResult,
    authScopes: USER,
    args: { input: t.arg({ type: InvitationAcceptInput, required: true, description: 'Which one.' }) },
    description:
      'Accepts an invitation, which takes a verified e-mail address: the one it went to, if it went to one.',
    resolve: invitationAccept,
  }),
}));
