import type { Clock } from '../../lib/clock.ts';
import type { Scheduler } from '../scheduler.ts';

export interface SilenceLimits {
  /**
   * Silence after which a connection counts as stalled, in milliseconds. A live room ticks about every 2 s (its viewer
   * count), so 45 s are some twenty ticks missed.
   */
  readonly stalledMs: number;
  /** Silence after which it is opened anew, in milliseconds. */
  readonly reconnectMs: number;
}

export const SILENCE_LIMITS: SilenceLimits = { stalledMs: 45_000, reconnectMs: 90_000 };

export interface SilenceListener {
  onStalled(): void;
  onTooLong(): void;
}

/**
 * Tells when a connection has been silent for too long. Cheap to feed: a timer is set once per limit, and looks at the
 * time of the last message when it fires. While held (we ourselves are not reading), no silence is counted.
 */
export class SilenceWatchdog {
  readonly #deps: { readonly clock: Clock; readonly scheduler: Scheduler };
  readonly #limits: SilenceLimits;
  readonly #listener: SilenceListener;
  #heardAt: number;
  #stalled: boolean = false;
  #held: boolean = false;
  #cancel: () => void;

  constructor(
    deps: { readonly clock: Clock; readonly scheduler: Scheduler },
    limits: SilenceLimits,
    listener: SilenceListener,
  ) {
    this.#deps = deps;
    this.#limits = limits;
    this.#listener = listener;
    this.#heardAt = deps.clock.nowMs();
    this.#cancel = this.#watch(limits.stalledMs);
  }

  /** When something was heard last, or watching began; milliseconds since the epoch. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Something was heard. */
  fed(): void {
    this.#heardAt = this.#deps.clock.nowMs();
    this.#stalled = false;
  }

  /** We stop reading: what follows is not the provider's silence. */
  hold(): void {
    this.#held = true;
  }

  /** We read again; silence counts from now. */
  release(): void {
    this.#held = false;
    this.fed();
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancel();
  }

  #watch(delayMs: number): () => void {
    return this.#deps.scheduler.after(delayMs, () => this.#look());
  }

  #look(): void {
    if (this.#held) this.#heardAt = this.#deps.clock.nowMs();
    const silentMs = this.#deps.clock.nowMs() - this.#heardAt;
    if (silentMs >= this.#limits.reconnectMs) {
      this.#listener.onTooLong();
      return;
    }
    if (silentMs >= this.#limits.stalledMs && !this.#stalled) {
      this.#stalled = true;
      this.#listener.onStalled();
    }
    const limit = this.#stalled ? this.#limits.reconnectMs : this.#limits.stalledMs;
    this.#cancel = this.#watch(limit - silentMs);
  }
}
