import type { StateChanges } from '../bus/port.ts';
import type { EventUser, UnifiedEventOf } from '../events/unified-event.ts';
import type { StreamId } from '../lib/ids.ts';

/** A gift streak as an earlier session left it. */
export interface RestoredStreak {
  readonly streakId: string;
  /** The running total already booked. */
  readonly count: number;
  /** When its last message arrived, milliseconds since the Unix epoch. */
  readonly arrivedAt: number;
  /** The provider itself has ended it. */
  readonly ended: boolean;
  /** What its closing event needs; null when it is closed already. */
  readonly open: OpenStreak | null;
}

/** An open streak's last event, without its counts. */
export interface OpenStreak {
  readonly timestamp: number;
  readonly history: boolean;
  readonly user: EventUser | null;
  readonly giftId: string;
  readonly giftName: string;
  readonly giftImageUrl: string | null;
  readonly diamondCount: number;
  readonly toUserId: string | null;
}

/** What a new normaliser starts from. */
export interface RestoredState {
  readonly streaks: readonly RestoredStreak[];
  readonly likesMax: number;
  /** When the last message of this stream arrived; null when unknown. What comes next is after a gap that began here. */
  readonly lastArrivedAt: number | null;
  /** Keys that other streams of the channel left behind: deleted with the first event. */
  readonly staleKeys: readonly string[];
}

/** A stream never seen before. */
export const NOTHING_RESTORED: RestoredState = { streaks: [], likesMax: 0, lastArrivedAt: null, staleKeys: [] };

export interface RestoreSources {
  readonly streamId: StreamId;
  /** @see EventBus.readState */
  readonly busState: ReadonlyMap<string, string>;
  /** The stream's stored LIVE gifts of the last 30 minutes, in any order: for a bus that forgot. */
  readonly storedGifts: readonly UnifiedEventOf<'GIFT'>[];
  /** stream_total.likes_max */
  readonly storedLikesMax: number;
}

/** One change that does what `changes` do one after the other; undefined when they do nothing. */
export type MergeStateChanges = (changes: Iterable<StateChanges | undefined>) => StateChanges | undefined;
