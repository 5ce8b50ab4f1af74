import type { AudienceMember, SeenHandle } from '../live/audience.ts';
import { memberAlias, memberChannel, memberHandles } from '../resolvers/audience-member.ts';
import { memberEvents } from '../resolvers/history.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { EventConnection, eventArguments } from './event-connection.ts';
import { FollowRoleEnum } from './event-enums.ts';
import { asNull, redacted } from './redaction.ts';
import { Channel, Member } from './refs.ts';
import { inItsChannel, itsChannel, typeInChannel, VIEWER } from './scopes.ts';

const MemberHandle = builder.objectRef<SeenHandle>('MemberHandle').implement({
  description: 'A handle an audience member was seen with.',
  authScopes: VIEWER,
  fields: (t) => ({
    handle: t.exposeString('handle', { description: 'The handle, without `@`. Personal.' }),
    firstSeenAt: t.expose('firstSeenAt', { type: 'DateTime', description: 'When it was first seen.' }),
  }),
});

const MemberHandleConnection = builder.connectionObject(
  {
    type: MemberHandle,
    name: 'MemberHandleConnection',
    description: 'A page of handles.',
    authScopes: VIEWER,
  },
  { name: 'MemberHandleEdge', description: 'A handle on its page.', authScopes: VIEWER },
);

Member.implement({
  description:
    "A viewer known from a channel's events: a data subject. The same person is another member in another channel.",
  authScopes: typeInChannel('HISTORY_READ', itsChannel),
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `mem_`. Random: says nothing about the person.' }),
    alias: t.string({
      description: 'Stands for the person without naming them, the same throughout the channel.',
      resolve: memberAlias,
    }),
    handle: t.string({
      description: 'The handle as last seen, without `@`. Personal: the alias for who may not see names.',
      ...redacted('PII_READ', ({ user }: AudienceMember) => user.uniqueId, memberAlias),
    }),
    displayName: t.string({
      description: 'The name as last seen. Personal: the alias for who may not see names.',
      ...redacted('PII_SCREEN', ({ user }: AudienceMember) => user.displayName, memberAlias),
    }),
    avatarUrl: t.string({
      nullable: true,
      description:
        "The picture as last seen, on the provider's servers. Null when they have none. Personal: null for who may not see people.",
      ...redacted('PII_SCREEN', ({ user }: AudienceMember) => user.avatarUrl, asNull),
    }),
    externalId: t.string({
      nullable: true,
      description: "The provider's id of the person. Personal: null for who may not see names.",
      ...redacted('PII_READ', ({ user }: AudienceMember) => user.userId, asNull),
    }),
    followRole: t.field({
      type: FollowRoleEnum,
      description: 'How they follow the creator, as last seen.',
      resolve: ({ user }) => user.followRole,
    }),
    isModerator: t.boolean({
      description: "Whether they moderate the creator's streams, as last seen.",
      resolve: ({ user }) => user.isModerator,
    }),
    isSubscriber: t.boolean({
      description: 'Whether they subscribe to the creator, as last seen.',
      resolve: ({ user }) => user.isSubscriber,
    }),
    teamMemberLevel: t.int({
      description: 'Their level in the fan club as last seen, 0 when not a member.',
      resolve: ({ user }) => user.teamMemberLevel,
    }),
    firstSeenAt: t.expose('firstSeenAt', { type: 'DateTime', description: 'When they were first seen.' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'When they were last seen.' }),
    channel: t.field({ type: Channel, description: 'Where they were seen.', resolve: memberChannel }),
    handles: t.field({
      type: MemberHandleConnection,
      authScopes: inItsChannel('PII_READ'),
      args: pageArguments,
      complexity: connectionCost,
      description: 'Every handle they were seen with, oldest first.',
      resolve: memberHandles,
    }),
    events: t.field({
      type: EventConnection,
      args: eventArguments,
      complexity: connectionCost,
      description: 'What they did in this channel.',
      resolve: memberEvents,
    }),
  }),
});
