import type { Scheduler } from '../../../src/ingest/scheduler.ts';
import type { Clock } from '../../../src/lib/clock.ts';

/** Time that moves only when told, and calls what is due, in order. */
export class ManualTime implements Clock, Scheduler {
  #nowMs = 1_800_000_000_000;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time on. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.at);
      due.callback();
    }
    this.#nowMs = end;
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.length;
  }
}
