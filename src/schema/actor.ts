import { actorMember, type EventActor } from '../resolvers/actor.ts';
import { builder } from './builder.ts';
import { FollowRoleEnum } from './event-enums.ts';
import { asNull, redacted } from './redaction.ts';
import { Member } from './refs.ts';
import { VIEWER } from './scopes.ts';

/** What overlays may put on screen, and, for the owner, who it is. */
export const Actor = builder.objectRef<EventActor>('EventActor').implement({
  description: 'Who did something: in a live event as the provider told it then, in history as last known.',
  authScopes: VIEWER,
  fields: (t) => ({
    alias: t.exposeString('alias', {
      description:
        'Stands for the person without naming them, the same throughout a channel, like `viewer-7f3a09c2`.',
    }),
    displayName: t.string({
      description: 'The name they show. Personal: the alias for who may not see names.',
      ...redacted(
        'PII_SCREEN',
        ({ user }: EventActor) => user.displayName,
        ({ alias }) => alias,
      ),
    }),
    handle: t.string({
      description:
        'The handle, without `@`. Personal, and nothing that an overlay shows: the alias for who may not see it.',
      ...redacted(
        'PII_READ',
        ({ user }: EventActor) => user.uniqueId,
        ({ alias }) => alias,
      ),
    }),
    avatarUrl: t.string({
      nullable: true,
      description:
        "Their picture, on the provider's servers. Null when they have none. Personal: null for who may not see people.",
      ...redacted('PII_SCREEN', ({ user }: EventActor) => user.avatarUrl, asNull),
    }),
    followRole: t.field({
      type: FollowRoleEnum,
      description: 'How they follow the creator.',
      resolve: ({ user }) => user.followRole,
    }),
    isModerator: t.boolean({
      description: "Whether they moderate the creator's streams.",
      resolve: ({ user }) => user.isModerator,
    }),
    isSubscriber: t.boolean({
      description: 'Whether they subscribe to the creator.',
      resolve: ({ user }) => user.isSubscriber,
    }),
    teamMemberLevel: t.int({
      description: 'Their level in the fan club, 0 when not a member.',
      resolve: ({ user }) => user.teamMemberLevel,
    }),
    externalId: t.string({
      nullable: true,
      description: "The provider's id of the person. Personal: null for who may not see names.",
      ...redacted('PII_READ', ({ user }: EventActor) => user.userId, asNull),
    }),
    member: t.field({
      type: Member,
      nullable: true,
      description:
        'The person in this channel. Null while their first event is still being stored, and for who may not read history.',
      resolve: actorMember,
    }),
  }),
});
