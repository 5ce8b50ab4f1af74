import { eventTypeOptions, eventTypeRef } from './event-type.ts';

/** Events that carry counts and little else. Chat, gifts and lifecycle have files of their own. */

eventTypeRef('LIKE').implement({
  ...eventTypeOptions,
  description: 'Somebody liked the stream, usually many times at once.',
  fields: (t) => ({
    likeCount: t.field({
      type: 'Count',
      description: 'Likes in this message: a sample, not the increase of the total.',
      resolve: ({ event }) => event.payload.likeCount,
    }),
    totalLikeCount: t.field({
      type: 'Count',
      description: "The stream's total so far. Never falls.",
      resolve: ({ event }) => event.payload.totalLikeCount,
    }),
  }),
});

eventTypeRef('FOLLOW').implement({
  ...eventTypeOptions,
  description: 'Somebody began to follow the creator.',
  fields: () => ({}),
});

eventTypeRef('SHARE').implement({
  ...eventTypeOptions,
  description: 'Somebody shared the stream.',
  fields: () => ({}),
});

eventTypeRef('JOIN').implement({
  ...eventTypeOptions,
  description: 'Somebody came in.',
  fields: (t) => ({
    viewerCount: t.field({
      type: 'Count',
      description: 'Viewers at that moment.',
      resolve: ({ event }) => event.payload.viewerCount,
    }),
    joinCount: t.field({
      type: 'Count',
      description:
        'How many came in with this event: more than 1 when there were too many to tell one by one.',
      resolve: ({ event }) => event.payload.joinCount,
    }),
  }),
});

eventTypeRef('SUBSCRIBE').implement({
  ...eventTypeOptions,
  description: 'Somebody subscribed, or renewed.',
  fields: (t) => ({
    subMonth: t.int({
      description: 'For how many months so far.',
      resolve: ({ event }) => event.payload.subMonth,
    }),
  }),
});

eventTypeRef('ROOM_USER').implement({
  ...eventTypeOptions,
  description: 'How many viewers there are.',
  fields: (t) => ({
    viewerCount: t.field({
      type: 'Count',
      description: 'Viewers now.',
      resolve: ({ event }) => event.payload.viewerCount,
    }),
    totalViewerCount: t.field({
      type: 'Count',
      description: 'Viewers since the stream began.',
      resolve: ({ event }) => event.payload.totalViewerCount,
    }),
  }),
});

eventTypeRef('ENVELOPE').implement({
  ...eventTypeOptions,
  description: 'A treasure chest of coins.',
  fields: (t) => ({
    envelopeId: t.string({
      description: "The provider's id of the chest.",
      resolve: ({ event }) => event.payload.envelopeId,
    }),
    coins: t.field({
      type: 'Coins',
      nullable: true,
      description: 'What is in it. Null where the provider does not say.',
      resolve: ({ event }) => event.payload.coins,
    }),
  }),
});
