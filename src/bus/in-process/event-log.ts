import { assert } from '../../lib/assert.ts';
import type { ConsumedDelivery } from '../port.ts';

/** How many read entries may lie at the front before they are cut off: keeps cutting rare and cheap. */
const CUT_ENTRIES_MIN = 1_024;

/**
 * The one stream of the in-process bus: deliveries in append order, each at an offset that is never reused. Entries below
 * `start` are gone.
 */
export class EventLog {
  #entries: ConsumedDelivery[] = [];
  #appendedAt: number[] = [];
  /** Offset of the first array element; elements below `start` await the next cut. */
  #base = 0;
  #start = 0;

  get start(): number {
    return this.#start;
  }

  /** The offset that the next entry gets. */
  get end(): number {
    return this.#base + this.#entries.length;
  }

  get length(): number {
    return this.end - this.#start;
  }

  push(delivery: ConsumedDelivery, nowMs: number): void {
    this.#entries.push(delivery);
    this.#appendedAt.push(nowMs);
  }

  /** Up to `max` entries from `offset` on, which must not be below `start`. */
  read(offset: number, max: number): readonly ConsumedDelivery[] {
    assert(offset >= this.#start, 'entries below the start are gone');
    const from = offset - this.#base;
    return this.#entries.slice(from, from + max);
  }

  /** When the entry at `offset` was appended; undefined when there is none yet. */
  appendedAt(offset: number): number | undefined {
    return this.#appendedAt[offset - this.#base];
  }

  /** Forgets everything below `offset`. */
  dropBelow(offset: number): void {
    this.#start = Math.min(Math.max(this.#start, offset), this.end);
    const dead = this.#start - this.#base;
    const worthIt = dead >= CUT_ENTRIES_MIN && dead * 2 >= this.#entries.length;
    if (!worthIt && this.#start !== this.end) return;
    this.#entries = this.#entries.slice(dead);
    this.#appendedAt = this.#appendedAt.slice(dead);
    this.#base = this.#start;
  }
}
