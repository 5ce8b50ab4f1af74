import type { Clock } from '../lib/clock.ts';
import { RateLimitedError } from './errors.ts';
import { InProcessBuckets } from './in-process-limiter.ts';
import type { BucketRule, Consumption, Limiter } from './limiter.ts';

/** What a request loses if it comes to nothing, and out of which bucket. */
export interface Stake {
  /** As for the limiter. */
  readonly key: string;
  readonly points: number;
  readonly rule: BucketRule;
}

/** Points put down for one request. What is called first counts; the rest does nothing. */
export interface Deposit {
  /** The request came to something, or is paid for otherwise. */
  release(): void;
  /** The request came to nothing: the points are taken out of the shared bucket too. */
  forfeit(): Promise<void>;
}

/**
 * What is put down before a request is worked on, by whoever may turn out to ask in vain: a credential that opens nothing, a document that
 * cannot run. It is taken in this process, at once, so that many at the same time cannot all be worked on for nothing; the bucket
 * that all processes share is asked only when a request came to nothing, and one that works costs no round trip.
 */
export class Deposits {
  readonly #limiter: Limiter;
  readonly #buckets: InProcessBuckets;

  constructor(deps: { readonly limiter: Limiter; readonly clock: Clock }) {
    this.#limiter = deps.limiter;
    this.#buckets = new InProcessBuckets({ clock: deps.clock });
  }

  /** @throws RateLimitedError when the bucket holds less */
  take({ key, points: wanted, rule }: Stake): Deposit {
    const points = Math.min(wanted, rule.capacity);
    const { allowed, retryAfterSeconds } = this.#buckets.take(key, points, rule);
    if (!allowed) throw new RateLimitedError(retryAfterSeconds);
    let held = true;
    return {
      release: () => {
        if (held) this.#buckets.giveBack(key, points, rule);
        held = false;
      },
      forfeit: async () => {
        if (!held) return;
        held = false;
        this.noteShared({ key, rule }, await this.#limiter.consume(key, points, rule));
      },
    };
  }

  /** Learns from what the shared bucket refused: until it holds more again, nothing is begun here either. */
  noteShared({ key, rule }: Omit<Stake, 'points'>, { allowed, remaining }: Consumption): void {
    if (!allowed) this.#buckets.lower(key, remaining, rule);
  }
}
