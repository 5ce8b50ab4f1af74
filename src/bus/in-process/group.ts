import type { Clock } from '../../lib/clock.ts';
import { GROUP_ABANDONED_MS } from '../limits.ts';
import type { ConsumedDelivery, ConsumerLag } from '../port.ts';
import type { EventLog } from './event-log.ts';

/**
 * A consumer group's place in the log. Its members take turns: the first reads, the others stand by, so a batch is in one
 * member's hands at a time and everything comes in order.
 */
export class LocalGroup {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #members: object[] = [];
  readonly #wakers = new Set<() => void>();
  /** Attempt numbers above 1, by offset. Only of events in hand, so no longer than a batch. */
  readonly #attempts = new Map<number, number>();
  /** Offset of the oldest event not acknowledged. */
  #next: number;
  #leftAt: number | null = null;

  constructor(deps: { readonly log: EventLog; readonly clock: Clock }) {
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#next = deps.log.start;
  }

  get next(): number {
    return this.#next;
  }

  /** Whether the group's unread events must be kept: it has members, or had some not too long ago. */
  holdsBack(): boolean {
    return this.#leftAt === null || this.#clock.nowMs() - this.#leftAt < GROUP_ABANDONED_MS;
  }

  join(member: object): void {
    this.#members.push(member);
    this.#leftAt = null;
    // Only after the group was thought abandoned can the log have gone on without it.
    this.#next = Math.max(this.#next, this.#log.start);
  }

  leave(member: object): void {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    if (this.#members.length === 0) this.#leftAt = this.#clock.nowMs();
    this.wake();
  }

  /** Whether it is `member`'s turn and there is something to read. */
  isReady(member: object): boolean {
    return this.#members[0] === member && this.#log.end > this.#next;
  }

  /** Unacknowledged events, from the oldest, with their attempt numbers. */
  read(max: number): readonly ConsumedDelivery[] {
    const batch = this.#log.read(this.#next, max);
    if (this.#attempts.size === 0) return batch;
    return batch.map((delivery, index) => {
      const attempt = this.#attempts.get(this.#next + index);
      return attempt === undefined ? delivery : { ...delivery, attempt };
    });
  }

  /** Keeps the attempt numbers of `batch`, which are the oldest unacknowledged events. */
  recordAttempts(batch: readonly ConsumedDelivery[]): void {
    batch.forEach((delivery, index) => {
      this.#attempts.set(this.#next + index, delivery.attempt);
    });
  }

  /** Acknowledges the `count` oldest events. */
  acknowledge(count: number): void {
    if (this.#attempts.size > 0) {
      for (let offset = this.#next; offset < this.#next + count; offset += 1) this.#attempts.delete(offset);
    }
    this.#next += count;
  }

  /** Resolves at the next append, or when a member leaves or is told to stop. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakers.add(resolve);
    });
  }

  wake(): void {
    if (this.#wakers.size === 0) return;
    for (const waker of this.#wakers) waker();
    this.#wakers.clear();
  }

  lag(): ConsumerLag {
    const pendingEvents = this.#log.end - Math.max(this.#next, this.#log.start);
    const oldestAt = pendingEvents === 0 ? undefined : this.#log.appendedAt(this.#next);
    const oldestMs = oldestAt === undefined ? 0 : Math.max(0, this.#clock.nowMs() - oldestAt);
    return { pendingEvents, oldestMs };
  }
}
