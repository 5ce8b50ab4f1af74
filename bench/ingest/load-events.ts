import { eventId } from '../../src/events/event-id.ts';
import type { EventDraft, EventUser } from '../../src/events/unified-event.ts';
import type { ChannelId, SessionId, StreamId } from '../../src/lib/ids.ts';

const VIEWERS = 2_000;

/** What the load is about. */
export interface LoadPlace {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
}

/** Event number `index` of the load: what the normaliser makes of `loadMessage`, in the same proportions. */
export function loadEvent(place: LoadPlace, index: number, nowMs: number): EventDraft {
  const base = {
    schemaVersion: '1' as const,
    eventId: eventId({
      provider: 'TIKTOK',
      ...place,
      messageId: String(index),
      localSequence: 0,
      rawType: 'load',
      source: 'LIVE',
    }),
    provider: 'TIKTOK' as const,
    ...place,
    timestamp: nowMs,
    ingestedAt: nowMs,
    source: 'LIVE' as const,
    history: false,
    user: viewer(index % VIEWERS),
  };
  switch (index % 10) {
    case 3:
    case 7:
      return { ...base, eventType: 'GIFT', triggerId: 2, payload: gift(index) };
    case 5:
      return { ...base, eventType: 'FOLLOW', triggerId: 4, payload: {} };
    case 9:
      return {
        ...base,
        eventType: 'EMOTE',
        triggerId: 8,
        payload: { emoteId: '7281238501054696197', emoteImageUrl: null },
      };
    default: {
      const message = `message number ${index} of the load, as long as people write`;
      return { ...base, eventType: 'CHAT', triggerId: 1, payload: { message, emotes: [], language: 'en' } };
    }
  }
}

function gift(index: number) {
  return {
    giftId: '5655',
    giftName: 'Rose',
    giftCount: 1,
    coins: 1,
    diamondCount: 1,
    streakId: `streak ${Math.floor(index / 90)}`,
    streakCount: Math.floor(index / 10) % 9,
    streakCoins: Math.floor(index / 10) % 9,
    streakActive: true,
    streakEnd: false,
    isGiftStreak: true,
    giftImageUrl: null,
    toUserId: null,
  };
}

function viewer(index: number): EventUser {
  return {
    userId: `${6_000_000_000_000_000_000n + BigInt(index)}`,
    uniqueId: `viewer.${index}`,
    displayName: `Viewer ${index}`,
    avatarUrl: 'https://p16-webcast.example.test/img/avatar.webp',
    followRole: 'FOLLOWER',
    isModerator: false,
    isSubscriber: false,
    teamMemberLevel: 0,
  };
}
