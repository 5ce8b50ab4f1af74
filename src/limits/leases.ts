import type { Clock } from '../lib/clock.ts';
import type { BucketRule, Consumption, Limiter } from './limiter.ts';

/** So many times what is asked for is taken out of the shared bucket at once. */
const TIMES = 10;
/** But never more than this share of it: the rest of what is taken ahead is missing to other processes. */
const SHARE_MAX = 1 / 50;
/** How long what was taken ahead may be spent, in milliseconds. By then as much has flown into the bucket, under all our rules. */
const AGE_MAX_MS = 1_000;
const LEASES_MAX = 10_000;

interface Lease {
  /** Points taken ahead and not spent. */
  left: number;
  /** What the shared bucket held after that. */
  shared: number;
  readonly untilMs: number;
}

/**
 * Takes points out of shared buckets a few operations ahead, so that most operations cost no round trip. What is spent was taken before, so
 * all processes together never allow more than the bucket holds; near its end, and of small buckets, points are taken one by one.
 */
export class LeasedBuckets {
  readonly #limiter: Limiter;
  readonly #clock: Clock;
  /** In the order they were taken. */
  readonly #leases = new Map<string, Lease>();

  constructor(deps: { readonly limiter: Limiter; readonly clock: Clock }) {
    this.#limiter = deps.limiter;
    this.#clock = deps.clock;
  }

  /** As the limiter's. */
  async consume(key: string, points: number, rule: BucketRule): Promise<Consumption> {
    const lease = this.#leaseOf(key);
    if (lease !== undefined && lease.left >= points) {
      lease.left -= points;
      return { allowed: true, remaining: Math.floor(lease.shared + lease.left), retryAfterSeconds: 0, rule };
    }
    // Whoever asks meanwhile must not spend it too.
    const held = lease?.left ?? 0;
    this.#leases.delete(key);
    const block = Math.max(points, Math.min(points * TIMES, Math.floor(rule.capacity * SHARE_MAX)));
    if (block > points) {
      const taken = await this.#limiter.consume(key, block - held, rule);
      if (taken.allowed) return this.#keep(key, { taken, left: block - points });
    }
    const taken = await this.#limiter.consume(key, points - held, rule);
    return this.#keep(key, { taken, left: taken.allowed ? 0 : held });
  }

  #leaseOf(key: string): Lease | undefined {
    const lease = this.#leases.get(key);
    if (lease === undefined || lease.untilMs > this.#clock.nowMs()) return lease;
    this.#leases.delete(key);
    return undefined;
  }

  #keep(key: string, { taken, left }: { readonly taken: Consumption; readonly left: number }): Consumption {
    // Others may have taken some ahead at the same time.
    const all = left + (this.#leaseOf(key)?.left ?? 0);
    this.#leases.delete(key);
    const untilMs = this.#clock.nowMs() + AGE_MAX_MS;
    if (all > 0) this.#leases.set(key, { left: all, shared: taken.remaining, untilMs });
    const [oldest] = this.#leases.keys();
    if (this.#leases.size > LEASES_MAX && oldest !== undefined) this.#leases.delete(oldest);
    return { ...taken, remaining: Math.floor(taken.remaining + all) };
  }
}
