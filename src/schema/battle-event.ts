import { battleParticipants, participantAlias, type ShownParticipant } from '../resolvers/event.ts';
import { builder } from './builder.ts';
import { eventTypeOptions, eventTypeRef } from './event-type.ts';
import { asNull, redacted } from './redaction.ts';
import { VIEWER } from './scopes.ts';

const BattleStatusEnum = builder.enumType('BattleStatus', {
  description: 'How far a battle is.',
  values: {
    STARTED: { description: 'It began.' },
    UPDATED: { description: 'Scores changed.' },
    ENDED: { description: 'It is over.' },
  } as const,
});

const Participant = builder.objectRef<ShownParticipant>('BattleParticipant').implement({
  description: 'A streamer in a battle.',
  authScopes: VIEWER,
  fields: (t) => ({
    displayName: t.string({
      description: 'The name they show. Personal: an alias for who may not see names.',
      ...redacted('PII_SCREEN', ({ displayName }: ShownParticipant) => displayName, participantAlias),
    }),
    score: t.expose('score', { type: 'Count', description: 'The score so far.' }),
    externalId: t.string({
      nullable: true,
      description: "The provider's id of the streamer. Personal: null for who may not see names.",
      ...redacted('PII_READ', ({ userId }: ShownParticipant) => userId, asNull),
    }),
  }),
});

eventTypeRef('BATTLE').implement({
  ...eventTypeOptions,
  description: 'A battle with other streamers began, moved on or ended.',
  fields: (t) => ({
    battleId: t.string({
      description: "The provider's id of the battle.",
      resolve: ({ event }) => event.payload.battleId,
    }),
    battleStatus: t.field({
      type: BattleStatusEnum,
      description: 'How far it is.',
      resolve: ({ event }) => event.payload.battleStatus,
    }),
    participants: t.field({
      type: [Participant],
      description: 'Who takes part; empty once erased.',
      resolve: battleParticipants,
    }),
  }),
});
