import { createHash } from 'node:crypto';
import type { EventInsert } from '../../../src/db/event-insert.ts';
import {
  type EventPayloads,
  type EventType,
  type EventUser,
  TRIGGER_IDS,
  type UnifiedEvent,
} from '../../../src/events/unified-event.ts';
import { type ChannelId, newId, type SessionId, type StreamId } from '../../../src/lib/ids.ts';

/** 2026-11-20 12:00:00 UTC: the time of every sample unless told otherwise. */
export const SAMPLE_TIME_MS = Date.UTC(2026, 10, 20, 12);

/** Where sample events take place. */
export interface SampleScene {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
}

export function sampleScene(): SampleScene {
  return {
    channelId: newId('channel', SAMPLE_TIME_MS),
    streamId: newId('stream', SAMPLE_TIME_MS),
    sessionId: newId('session', SAMPLE_TIME_MS),
  };
}

/** A viewer; `number` tells one from another. */
export function sampleUser(number: number, changes: Partial<EventUser> = {}): EventUser {
  return {
    userId: String(7_000_000_000_000_000_000n + BigInt(number)),
    uniqueId: `viewer.handle${number}`,
    displayName: `Viewer Name ${number}`,
    avatarUrl: `https://p16-sign.example/avatar-${number}.webp?x-expires=1795168800`,
    followRole: 'NONE',
    isModerator: false,
    isSubscriber: false,
    teamMemberLevel: 0,
    ...changes,
  };
}

/** Makes events of one scene, numbered from 1, a second apart. */
export function sampleEvents(scene: SampleScene = sampleScene(), startMs = SAMPLE_TIME_MS) {
  let sequence = 0;
  return <T extends EventType>(
    eventType: T,
    payload: EventPayloads[T],
    changes: Partial<Omit<UnifiedEvent, 'eventType' | 'payload' | 'triggerId'>> = {},
  ): UnifiedEvent => {
    sequence += 1;
    const timestamp = changes.timestamp ?? startMs + sequence * 1000;
    const event = {
      schemaVersion: '1',
      eventId: createHash('sha256').update(`${scene.sessionId} ${sequence}`).digest('hex'),
      eventType,
      triggerId: TRIGGER_IDS[eventType],
      provider: 'TIKTOK',
      ...scene,
      sequence,
      timestamp,
      ingestedAt: timestamp + 50,
      source: 'LIVE',
      history: false,
      user: null,
      payload,
      ...changes,
    };
    return event as UnifiedEvent; // type and payload belong together by the signature
  };
}

export function giftPayload(changes: Partial<EventPayloads['GIFT']> = {}): EventPayloads['GIFT'] {
  return {
    giftId: '5655',
    giftName: 'Rose',
    giftCount: 1,
    coins: 1,
    diamondCount: 1,
    streakId: 'streak-1',
    streakCount: 1,
    streakCoins: 1,
    streakActive: false,
    streakEnd: true,
    isGiftStreak: false,
    giftImageUrl: 'https://p16.example/rose.png',
    toUserId: null,
    ...changes,
  };
}

/** A chat event as a row, without personal data. */
export function sampleInsert(changes: Partial<EventInsert> = {}): EventInsert {
  return {
    ...sampleScene(),
    eventId: 'ab'.repeat(32),
    occurredAt: SAMPLE_TIME_MS,
    ingestedAt: SAMPLE_TIME_MS,
    sequence: 1,
    triggerId: TRIGGER_IDS.CHAT,
    provider: 'TIKTOK',
    source: 'LIVE',
    history: false,
    memberId: null,
    coins: null,
    streakCoins: null,
    payload: '{}',
    personal: null,
    subjectId: null,
    ...changes,
  };
}
