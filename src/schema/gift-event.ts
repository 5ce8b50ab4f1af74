import type { ShownEvent } from '../resolvers/event.ts';
import { eventTypeOptions, eventTypeRef } from './event-type.ts';
import { asNull, redacted } from './redaction.ts';

eventTypeRef('GIFT').implement({
  ...eventTypeOptions,
  description:
    'Somebody gave gifts. A streak is told in steps: `giftCount` and `coins` are what this step adds, so that sums are right; `streakCount` and `streakCoins` are what the streak has come to, which is what an alert shows.',
  fields: (t) => ({
    giftId: t.string({
      description: "The provider's id of the gift.",
      resolve: ({ event }) => event.payload.giftId,
    }),
    giftName: t.string({
      description: "The gift's name, in the language the provider told it.",
      resolve: ({ event }) => event.payload.giftName,
    }),
    giftImageUrl: t.string({
      nullable: true,
      description: "The gift's picture, on the provider's servers. Null when the provider did not tell.",
      resolve: ({ event }) => event.payload.giftImageUrl,
    }),
    diamondCount: t.field({
      type: 'Coins',
      description: 'The price of one.',
      resolve: ({ event }) => event.payload.diamondCount,
    }),
    giftCount: t.field({
      type: 'Count',
      description: 'Gifts this event adds. 0 when it only closes a streak.',
      resolve: ({ event }) => event.payload.giftCount,
    }),
    coins: t.field({
      type: 'Coins',
      description: 'What this event adds: `giftCount` times `diamondCount`.',
      resolve: ({ event }) => event.payload.coins,
    }),
    streakId: t.string({
      description: 'The same for all steps of a streak. A gift alone is a streak of its own.',
      resolve: ({ event }) => event.payload.streakId,
    }),
    streakCount: t.field({
      type: 'Count',
      description: 'Gifts in the streak so far, this event included. Never falls.',
      resolve: ({ event }) => event.payload.streakCount,
    }),
    streakCoins: t.field({
      type: 'Coins',
      description: '`streakCount` times `diamondCount`. A minimum of coins is held against this.',
      resolve: ({ event }) => event.payload.streakCoins,
    }),
    streakActive: t.boolean({
      description: 'Whether more steps may follow.',
      resolve: ({ event }) => event.payload.streakActive,
    }),
    streakEnd: t.boolean({
      description: 'Whether this closes the streak. A late, larger end may still follow, and counts.',
      resolve: ({ event }) => event.payload.streakEnd,
    }),
    isGiftStreak: t.boolean({
      description: 'Whether the gift is one that can be given in a streak.',
      resolve: ({ event }) => event.payload.isGiftStreak,
    }),
    receiverExternalId: t.string({
      nullable: true,
      description:
        "The provider's id of the guest who got it. Null when it was the creator, once erased, and for who may not see names. Personal.",
      ...redacted('PII_READ', ({ event }: ShownEvent<'GIFT'>) => event.payload.toUserId, asNull),
    }),
  }),
});
