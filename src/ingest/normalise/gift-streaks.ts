import { hash } from 'node:crypto';
import type { StateChanges } from '../../bus/port.ts';
import type { EventPayloads, EventUser } from '../../events/unified-event.ts';
import { assert } from '../../lib/assert.ts';
import type { StreamId } from '../../lib/ids.ts';
import type { GiftReading } from './gift.ts';
import {
  encodeStreak,
  type RestoredState,
  STREAK_KEY_PREFIX,
  type StreakDetails,
} from './normaliser-state.ts';

/**
 * Gift streaks. A message of a streak tells its running total, skips values, repeats, and may be the last we ever see
 * of it; what is booked is the growth of the maximum.
 *
 * | state | on a larger total | on the same or a smaller one | on the provider's end | on 10 s of silence, disconnect, stream end |
 * |---|---|---|---|---|
 * | (unknown) | all of it is growth: open | – | all of it is growth: ended | – |
 * | open | growth: open | nothing | growth, maybe 0: ended | a closing event without growth: closed |
 * | closed (by us) | growth: open again | nothing | with growth: ended; without: ended, no event | – |
 * | ended (by the provider) | growth, closing at once: ended | nothing | as the others | – |
 *
 * Closed and ended streaks are remembered for 30 minutes, for late ends and repeated history; then they are forgotten.
 */

/** How long a streak may be silent, in milliseconds. Real ends come 1 to 4 s after the last step, and some never. */
export const STREAK_IDLE_MS = 10_000;
/** How long a closed streak is remembered, in milliseconds: longer than the history that a reconnect repeats. */
export const STREAK_MEMORY_MS = 30 * 60 * 1_000;
/** Streaks open at one time; beyond it the oldest is closed. The busiest room measured had 12. */
export const OPEN_STREAKS_MAX = 2_000;
/** Closed streaks remembered; beyond it the oldest is forgotten. */
export const CLOSED_STREAKS_MAX = 5_000;
/**
 * Streaks forgotten at once when there are too many. One by one would cost microseconds each: a Map keeps the places of its
 * first entries for a while after they are deleted, and every look for the oldest walks over them.
 */
const FORGOTTEN_AT_ONCE = 250;
/** Forgotten streaks whose keys go with one event: one script call of Redis takes a limited number of arguments. */
const FORGOTTEN_PER_EVENT_MAX = 200;

/** One message of a streak. */
interface StreakStep {
  readonly gift: GiftReading;
  readonly timestamp: number;
  readonly arrivedAt: number;
  readonly history: boolean;
}

/** What is to become of a step: an event. */
export interface StreakBooking {
  readonly user: EventUser | null;
  readonly payload: EventPayloads['GIFT'];
  readonly timestamp: number;
  readonly history: boolean;
  /** True for a closing event of ours, which no message stands for. */
  readonly synthetic: boolean;
  readonly stateChanges: StateChanges;
}

interface Streak {
  readonly id: string;
  /** Its key among `#byKey`; null until a step of it has come in this session. */
  key: string | null;
  count: number;
  arrivedAt: number;
  ended: boolean;
  isOpen: boolean;
  /** Null for a streak restored after it was closed. Holds nobody once closed. */
  details: StreakDetails | null;
}

export class GiftStreaks {
  readonly #streamId: StreamId;
  /** Sets the streaks of replays apart. */
  readonly #scope: string;
  readonly #pseudonym: (value: string) => string;
  readonly #byKey = new Map<string, Streak>();
  /** By id, the one silent for longest first. */
  readonly #open = new Map<string, Streak>();
  /** By id, the one closed first first. */
  readonly #closed = new Map<string, Streak>();
  /** Keys of the bus's state to delete with the next events. */
  readonly #forgotten: Set<string>;
  /** Nothing closed is old enough to be forgotten before this time. */
  #forgetAt = 0;

  constructor(options: {
    readonly streamId: StreamId;
    readonly scope: string;
    readonly pseudonym: (value: string) => string;
    readonly restored: RestoredState;
  }) {
    this.#streamId = options.streamId;
    this.#scope = options.scope;
    this.#pseudonym = options.pseudonym;
    this.#forgotten = new Set(options.restored.staleKeys);
    for (const { streakId, count, arrivedAt, ended, open } of options.restored.streaks) {
      const isOpen = open !== null;
      const streak: Streak = { id: streakId, key: null, count, arrivedAt, ended, isOpen, details: open };
      (isOpen ? this.#open : this.#closed).set(streakId, streak);
    }
  }

  /** Books a step into `out`: its own event if it says something new, and before it the closing of whom it displaced. */
  book(step: StreakStep, out: StreakBooking[]): void {
    const { gift } = step;
    const streak = this.#streakOf(gift);
    const growth = gift.repeatCount - streak.count;
    if (growth <= 0 && !(streak.isOpen && gift.repeatEnd)) {
      streak.ended ||= gift.repeatEnd;
      return;
    }
    if (growth > 0) streak.count = gift.repeatCount;
    streak.ended ||= gift.repeatEnd;
    streak.arrivedAt = step.arrivedAt;
    const details = detailsOf(step, streak.details);
    this.#file(streak, details, !streak.ended);
    if (this.#open.size > OPEN_STREAKS_MAX) {
      for (const oldest of this.#open.values()) {
        this.#close(oldest, out);
        break;
      }
    }
    out.push(this.#booking(streak, details, { giftCount: Math.max(growth, 0), synthetic: false }));
    this.#forget(step.arrivedAt);
  }

  /** Closes into `out` what has been silent for too long at `nowMs`. */
  closeIdle(nowMs: number, out: StreakBooking[]): void {
    for (const streak of this.#open.values()) {
      if (streak.arrivedAt + STREAK_IDLE_MS > nowMs) break;
      this.#close(streak, out);
    }
    this.#forget(nowMs);
  }

  /** Closes everything into `out`. */
  closeAll(out: StreakBooking[]): void {
    for (const streak of this.#open.values()) this.#close(streak, out);
  }

  #close(streak: Streak, out: StreakBooking[]): void {
    const { details } = streak;
    assert(details !== null, 'an open streak is made by a step or restored with its details');
    this.#file(streak, details, false);
    out.push(this.#booking(streak, details, { giftCount: 0, synthetic: true }));
  }

  /** The streak of this gift: one of this session, else one restored, else a new one. */
  #streakOf(gift: GiftReading): Streak {
    const key = keyOf(gift);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const id = this.#idOf(gift);
    const streak = this.#open.get(id) ?? this.#closed.get(id) ?? newStreak(id);
    streak.key = key;
    this.#byKey.set(key, streak);
    return streak;
  }

  /** The same in every session of the stream. Persons go into it as keyed pseudonyms: their ids could be guessed. */
  #idOf(gift: GiftReading): string {
    const sender = gift.sender === null ? '' : this.#pseudonym(gift.sender.userId);
    const receiver = gift.toUserId === null ? '' : this.#pseudonym(gift.toUserId);
    const parts = `${this.#streamId}\n${this.#scope}\n${gift.giftId}\n${gift.groupId}\n${sender}\n${receiver}`;
    return hash('sha256', parts);
  }

  /** Puts the streak behind all others that are open, or closed. */
  #file(streak: Streak, details: StreakDetails, isOpen: boolean): void {
    (streak.isOpen ? this.#open : this.#closed).delete(streak.id);
    streak.isOpen = isOpen;
    streak.details = isOpen ? details : { ...details, user: null };
    (isOpen ? this.#open : this.#closed).set(streak.id, streak);
  }

  #booking(
    streak: Streak,
    details: StreakDetails,
    kind: { readonly giftCount: number; readonly synthetic: boolean },
  ): StreakBooking {
    const { giftId, giftName, giftImageUrl, diamondCount, toUserId } = details;
    return {
      user: details.user,
      payload: {
        giftId,
        giftName,
        giftCount: kind.giftCount,
        coins: kind.giftCount * diamondCount,
        diamondCount,
        streakId: streak.id,
        streakCount: streak.count,
        streakCoins: streak.count * diamondCount,
        streakActive: streak.isOpen,
        streakEnd: !streak.isOpen,
        isGiftStreak: true,
        giftImageUrl,
        toUserId,
      },
      timestamp: details.timestamp,
      history: details.history,
      synthetic: kind.synthetic,
      stateChanges: this.#stateChanges(streak),
    };
  }

  #stateChanges(streak: Streak): StateChanges {
    const key = STREAK_KEY_PREFIX + streak.id;
    const set = { [key]: encodeStreak(this.#streamId, streak, streak.isOpen ? streak.details : null) };
    if (this.#forgotten.size === 0) return { set };
    this.#forgotten.delete(key);
    const remove: string[] = [];
    for (const forgotten of this.#forgotten) {
      this.#forgotten.delete(forgotten);
      if (remove.push(forgotten) === FORGOTTEN_PER_EVENT_MAX) break;
    }
    return { set, delete: remove };
  }

  /** Forgets closed streaks beyond their time or number. Their keys go with the next events. */
  #forget(nowMs: number): void {
    const isTooMany = this.#closed.size > CLOSED_STREAKS_MAX;
    if (!isTooMany && nowMs < this.#forgetAt) return;
    const kept = isTooMany ? CLOSED_STREAKS_MAX - FORGOTTEN_AT_ONCE : CLOSED_STREAKS_MAX;
    this.#forgetAt = nowMs + STREAK_MEMORY_MS;
    for (const streak of this.#closed.values()) {
      const until = streak.arrivedAt + STREAK_MEMORY_MS;
      if (until > nowMs && this.#closed.size <= kept) {
        this.#forgetAt = until;
        return;
      }
      this.#closed.delete(streak.id);
      if (streak.key !== null) this.#byKey.delete(streak.key);
      this.#forgotten.add(STREAK_KEY_PREFIX + streak.id);
    }
  }
}

function newStreak(id: string): Streak {
  return { id, key: null, count: 0, arrivedAt: 0, ended: false, isOpen: false, details: null };
}

/** The parts hold no line breaks: ids are digits or cleaned text. */
function keyOf(gift: GiftReading): string {
  return `${gift.sender?.userId ?? ''}\n${gift.giftId}\n${gift.groupId}\n${gift.toUserId ?? ''}`;
}

/** What the step says; where it leaves out the gift's details (ends do), what earlier steps said. */
function detailsOf(step: StreakStep, earlier: StreakDetails | null): StreakDetails {
  const { gift } = step;
  return {
    timestamp: step.timestamp,
    history: step.history,
    user: gift.sender,
    giftId: gift.giftId,
    giftName: gift.giftName || (earlier?.giftName ?? ''),
    giftImageUrl: gift.giftImageUrl ?? earlier?.giftImageUrl ?? null,
    diamondCount: gift.diamondCount || (earlier?.diamondCount ?? 0),
    toUserId: gift.toUserId,
  };
}
