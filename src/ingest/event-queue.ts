import type { NormalisedItem } from './normaliser.ts';

/** The types that may be coalesced under pressure, with how many events were merged into others so far. */
export interface CoalescedCounts {
  readonly JOIN: number;
  readonly LIKE: number;
  readonly ROOM_USER: number;
  readonly RAW: number;
}

/** The bounded queue between the normaliser and the bus. One producer, one consumer. */
export interface EventQueue {
  /** Takes all of `items`, coalescing under pressure. Never refuses: await `full` before the next push. */
  push(items: readonly NormalisedItem[]): void;
  /** The oldest events, at most `max`, out of the queue. */
  take(max: number): NormalisedItem[];
  /** Null while there is room; at the hard limit a promise that resolves when half of the queue has been taken. */
  readonly full: Promise<void> | null;
  /** Resolves as soon as there is something to take, or the queue is closed. */
  whenNotEmpty(): Promise<void>;
  readonly size: number;
  readonly coalesced: CoalescedCounts;
  /** No more pushes; what is in it may still be taken. */
  close(): void;
}
