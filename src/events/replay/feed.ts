import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import { selectStoredSequence } from '../../db/channel-sequence.ts';
import type { Database } from '../../db/connect.ts';
import { DependencyError } from '../../errors/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { EventDraft } from '../unified-event.ts';

/** Events in one append at most. */
const APPEND_EVENTS_MAX = 200;
/**
 * How far a replay may run ahead of what is stored, in events of its channel. Far below what the bus holds, so that a
 * replay as fast as possible never takes the room that live events need.
 */
export const AHEAD_EVENTS_MAX = 2_000;
/** How often to look whether storage has caught up, in milliseconds. */
const CATCH_UP_POLL_MS = 50;
/** Wait before an append the bus could not take is tried again, in milliseconds. */
const APPEND_RETRY_MS = 500;

/** Waits `ms`, or less when `signal` aborts. Never rejects. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export interface ReplayFeedDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly pause: Pause;
}

/**
 * Puts the events of one replay on the bus, in order and in their time: at `speed` times the speed they happened in, or,
 * when that is null, as fast as the bus and the storage worker take them. Aborting `signal` makes `add` and `flush` throw
 * its reason; what had been appended stays.
 */
export class ReplayFeed {
  readonly #deps: ReplayFeedDeps;
  readonly #channelId: ChannelId;
  readonly #speed: number | null;
  readonly #signal: AbortSignal;
  /** At most `APPEND_EVENTS_MAX`. */
  #waiting: EventDraft[] = [];
  #added: number;
  #done: number;
  /** When the first event was due and when it happened; the others follow from it. */
  #origin: { readonly at: number; readonly happenedAt: number } | null = null;
  #storedSequence: number | null = null;
  #appendedSequence = 0;

  constructor(
    deps: ReplayFeedDeps,
    feed: {
      readonly channelId: ChannelId;
      readonly speed: number | null;
      readonly signal: AbortSignal;
      readonly done: number;
    },
  ) {
    this.#deps = deps;
    this.#channelId = feed.channelId;
    this.#speed = feed.speed;
    this.#signal = feed.signal;
    this.#added = feed.done;
    this.#done = feed.done;
  }

  /** How many events of the original are behind us for good, `done` of the start included. Never counts one still waiting. */
  get done(): number {
    return this.#done;
  }

  /**
   * Waits until the event is due and hands it on as arrived now, perhaps together with its neighbours. `happenedAt` is when it came in the
   * original, milliseconds since the Unix epoch; null: together with the one before.
   */
  async add(draft: EventDraft, happenedAt: number | null): Promise<void> {
    const wait = happenedAt === null ? 0 : this.#dueInMs(happenedAt);
    if (wait > 0) {
      await this.flush();
      await this.#pause(wait);
    }
    this.#waiting.push({ ...draft, ingestedAt: this.#deps.clock.nowMs() });
    if (this.#waiting.length >= APPEND_EVENTS_MAX) await this.flush();
  }

  /** Counts an event (of a file: a message) of the original. Call when it has been added, or is not to be replayed. */
  count(): void {
    this.#added += 1;
  }

  /** Appends what was added and not yet appended. */
  async flush(): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#waiting.length > 0) {
      const sequenceFloor = await this.#roomBehindStorage();
      const outcomes = await this.#append(this.#waiting, sequenceFloor);
      const sequences = outcomes.map((outcome) => (outcome.kind === 'APPENDED' ? outcome.sequence : 0));
      this.#appendedSequence = Math.max(this.#appendedSequence, ...sequences);
      this.#waiting = [];
    }
    this.#done = this.#added;
  }

  #dueInMs(happenedAt: number): number {
    if (this.#speed === null) return 0;
    this.#origin ??= { at: this.#deps.clock.nowMs(), happenedAt };
    const due = this.#origin.at + (happenedAt - this.#origin.happenedAt) / this.#speed;
    return due - this.#deps.clock.nowMs();
  }

  /** Waits while storage is too far behind. Returns the highest sequence known to be stored. */
  async #roomBehindStorage(): Promise<number> {
    this.#storedSequence ??= await selectStoredSequence(this.#deps.db, this.#channelId);
    while (this.#appendedSequence - this.#storedSequence > AHEAD_EVENTS_MAX) {
      await this.#pause(CATCH_UP_POLL_MS);
      this.#storedSequence = await selectStoredSequence(this.#deps.db, this.#channelId);
    }
    return this.#storedSequence;
  }

  /** A bus that is full or away is waited for: a replay has time. What was appended after all answers DUPLICATE. */
  async #append(events: readonly EventDraft[], sequenceFloor: number) {
    for (;;) {
      try {
        return await this.#deps.bus.append({
          channelId: this.#channelId,
          lease: null,
          sequenceFloor,
          events,
        });
      } catch (error) {
        if (!(error instanceof DependencyError) || !error.retryable) throw error;
        await this.#pause(APPEND_RETRY_MS);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#deps.pause(ms, this.#signal);
    this.#signal.throwIfAborted();
  }
}
