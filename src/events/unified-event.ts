import type { ChannelId, SessionId, StreamId } from '../lib/ids.ts';

/**
 * UnifiedEvent v1: what every producer puts on the bus and every consumer reads. The JSON Schema beside the docs
 * (`docs/contracts/unified-event.v1.schema.json`) says the same thing to other languages; a test holds the two together.
 */

/** Every event type with its trigger id: a stable integer that storage and rules use in place of the name. */
export const TRIGGER_IDS = {
  CHAT: 1,
  GIFT: 2,
  LIKE: 3,
  FOLLOW: 4,
  SHARE: 5,
  JOIN: 6,
  SUBSCRIBE: 7,
  EMOTE: 8,
  BATTLE: 9,
  CONNECTED: 10,
  DISCONNECTED: 11,
  ERROR: 12,
  RAW: 13,
  ROOM_USER: 14,
  STREAM_END: 15,
  MESSAGE_DELETED: 16,
  QUESTION: 17,
  ENVELOPE: 18,
} as const;
export type EventType = keyof typeof TRIGGER_IDS;
export const EVENT_TYPES = Object.keys(TRIGGER_IDS) as readonly EventType[];

export const PROVIDERS = ['TIKTOK', 'PLATFORM'] as const;
export type Provider = (typeof PROVIDERS)[number];

export const EVENT_SOURCES = ['LIVE', 'REPLAY'] as const;
export type EventSource = (typeof EVENT_SOURCES)[number];

export const FOLLOW_ROLES = ['NONE', 'FOLLOWER', 'FRIEND'] as const;
export type FollowRole = (typeof FOLLOW_ROLES)[number];

/** Who did it, as the provider told it with this event. All of it is personal data. */
export interface EventUser {
  /** The provider's numeric user id, 1 to 20 digits, as text. The identity; everything else may change. */
  readonly userId: string;
  /** The handle, without `@`. */
  readonly uniqueId: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
  readonly followRole: FollowRole;
  readonly isModerator: boolean;
  readonly isSubscriber: boolean;
  /** The fan club level, 0 when not a member. */
  readonly teamMemberLevel: number;
}

export interface EmoteRef {
  readonly emoteId: string;
  readonly emoteImageUrl: string | null;
}

export interface BattleParticipant {
  readonly userId: string;
  readonly displayName: string;
  readonly score: number;
}

/** What each type carries. Counts are whole numbers; coins are whole TikTok coins. */
export interface EventPayloads {
  readonly CHAT: {
    readonly message: string;
    readonly emotes: readonly EmoteRef[];
    /** BCP 47 as the provider guessed it, null when it did not. */
    readonly language: string | null;
  };
  readonly GIFT: {
    readonly giftId: string;
    readonly giftName: string;
    /** Gifts this event adds. Sum it over events and you have the truth: a streak's steps each carry only the growth. */
    readonly giftCount: number;
    /** Coins this event adds: `giftCount` × `diamondCount`. */
    readonly coins: number;
    /** Price of one gift, in coins. */
    readonly diamondCount: number;
    /** Names the streak all its steps share; for a gift outside a streak, the gift itself. Carries no personal data. */
    readonly streakId: string;
    /** The streak's running total of gifts, this event included. Never falls. */
    readonly streakCount: number;
    /** `streakCount` × `diamondCount`: what the alert on screen shows, and what a minimum of coins is held against. */
    readonly streakCoins: number;
    /** More steps may follow. */
    readonly streakActive: boolean;
    /** This event closes the streak (or is a gift outside one). A late, larger end may still follow and is then counted. */
    readonly streakEnd: boolean;
    readonly isGiftStreak: boolean;
    readonly giftImageUrl: string | null;
    /** The guest who received it; null when it was the host. Personal data. */
    readonly toUserId: string | null;
  };
  readonly LIKE: {
    /** Likes in this message (or, coalesced under pressure, in several): a sample, not the increase. */
    readonly likeCount: number;
    /** The stream's total, as the highest value seen so far. Never falls. */
    readonly totalLikeCount: number;
  };
  readonly FOLLOW: Readonly<Record<string, never>>;
  readonly SHARE: Readonly<Record<string, never>>;
  readonly JOIN: {
    readonly viewerCount: number;
    /** How many joins this event stands for: 1, or more when joins were coalesced under pressure. */
    readonly joinCount: number;
  };
  readonly SUBSCRIBE: { readonly subMonth: number };
  readonly EMOTE: EmoteRef;
  readonly BATTLE: {
    readonly battleId: string;
    readonly battleStatus: 'STARTED' | 'UPDATED' | 'ENDED';
    readonly participants: readonly BattleParticipant[];
  };
  readonly CONNECTED: { readonly provider: Provider };
  readonly DISCONNECTED: { readonly code: number; readonly reason: string; readonly willReconnect: boolean };
  readonly ERROR: {
    readonly message: string;
    readonly code: string;
    /** Only in development. */
    readonly stack: string | null;
  };
  /** A message this version does not know. Fields that name people were replaced by keyed pseudonyms. */
  readonly RAW: { readonly rawType: string; readonly data: unknown };
  readonly ROOM_USER: { readonly viewerCount: number; readonly totalViewerCount: number };
  readonly STREAM_END: { readonly reason: 'ENDED' | 'SUSPENDED' };
  /** The provider deletes by person: all recent messages of these user ids. Personal data. */
  readonly MESSAGE_DELETED: { readonly userIds: readonly string[] };
  readonly QUESTION: { readonly questionId: string; readonly message: string };
  /** A treasure chest of coins. `coins` is null where the provider does not say. */
  readonly ENVELOPE: { readonly envelopeId: string; readonly coins: number | null };
}

interface EventBase<T extends EventType> {
  readonly schemaVersion: '1';
  /** sha256, 64 lower-case hexadecimal digits. @see eventId in event-id.ts */
  readonly eventId: string;
  readonly eventType: T;
  readonly triggerId: (typeof TRIGGER_IDS)[T];
  readonly provider: Provider;
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** The event's place among all events of its channel, from 1. Given by the bus when it is appended. */
  readonly sequence: number;
  /** The provider's time, milliseconds since the Unix epoch. ISO 8601 text in the public JSON form. */
  readonly timestamp: number;
  /** When we received it, milliseconds since the Unix epoch. ISO 8601 text in the public JSON form. */
  readonly ingestedAt: number;
  readonly source: EventSource;
  /** Came in the batch that the provider repeats at a (re)connect: stored, shown in history, never acted upon. */
  readonly history: boolean;
  /** Null for events without a person (lifecycle, viewer counts). */
  readonly user: EventUser | null;
  readonly payload: EventPayloads[T];
}

export type UnifiedEventOf<T extends EventType> = T extends EventType ? EventBase<T> : never;
export type UnifiedEvent = UnifiedEventOf<EventType>;

/** An event before the bus has given it its place. */
export type EventDraft = { [T in EventType]: Omit<EventBase<T>, 'sequence'> }[EventType];
