import { randomBytes } from 'node:crypto';
import type { EventBus } from '../../src/bus/port.ts';
import {
  type EventDraft,
  type EventPayloads,
  type EventType,
  type EventUser,
  TRIGGER_IDS,
} from '../../src/events/unified-event.ts';
import { type ChannelId, newId } from '../../src/lib/ids.ts';

export const LIVE_AT = Date.UTC(2026, 10, 22, 20);

/** A viewer, told from others by `userId`. */
export function liveUser(userId: string): EventUser {
  return {
    userId,
    uniqueId: `handle_${userId}`,
    displayName: `Name ${userId}`,
    avatarUrl: null,
    followRole: 'NONE',
    isModerator: false,
    isSubscriber: false,
    teamMemberLevel: 0,
  };
}

/** An event as ingest appends it. */
export function draft<T extends EventType>(
  channelId: ChannelId,
  eventType: T,
  payload: EventPayloads[T],
  user: EventUser | null = null,
): EventDraft {
  const event = {
    schemaVersion: '1',
    eventId: randomBytes(32).toString('hex'),
    eventType,
    triggerId: TRIGGER_IDS[eventType],
    provider: 'TIKTOK',
    channelId,
    streamId: newId('stream', LIVE_AT),
    sessionId: newId('session', LIVE_AT),
    timestamp: LIVE_AT,
    ingestedAt: LIVE_AT + 30,
    source: 'LIVE',
    history: false,
    user,
    payload,
  };
  return event as unknown as EventDraft; // the type parameter ties payload to type
}

export function chat(channelId: ChannelId, message: string, userId = '7001'): EventDraft {
  return draft(channelId, 'CHAT', { message, emotes: [], language: null }, liveUser(userId));
}

export function gift(channelId: ChannelId, streakCoins: number, userId = '7001'): EventDraft {
  return draft(
    channelId,
    'GIFT',
    {
      giftId: '5655',
      giftName: 'Rose',
      giftCount: 1,
      coins: 1,
      diamondCount: 1,
      streakId: 's1',
      streakCount: streakCoins,
      streakCoins,
      streakActive: true,
      streakEnd: false,
      isGiftStreak: true,
      giftImageUrl: null,
      toUserId: '42',
    },
    liveUser(userId),
  );
}

export function like(channelId: ChannelId): EventDraft {
  return draft(channelId, 'LIKE', { likeCount: 1, totalLikeCount: 1 }, liveUser('7001'));
}

/** Appends the events, which publishes them live. */
export async function publish(bus: EventBus, ...events: readonly EventDraft[]): Promise<void> {
  for (const event of events) {
    await bus.append({ channelId: event.channelId, lease: null, sequenceFloor: 0, events: [event] });
  }
}
