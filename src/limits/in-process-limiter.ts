import type { Clock } from '../lib/clock.ts';
import { type BucketRule, type Consumption, consumptionOf, type Limiter } from './limiter.ts';

/** Buckets kept at most; the ones not used for longest go first, which a full one would not be told from. */
const BUCKETS_MAX = 50_000;

interface Bucket {
  level: number;
  atMs: number;
}

/** Buckets of this process alone: for `tallylight start` without Redis, and while Redis is away. */
export function createInProcessLimiter(options: {
  readonly clock: Clock;
  readonly bucketsMax?: number;
}): Limiter {
  const { clock, bucketsMax = BUCKETS_MAX } = options;
  // In the order of use.
  const buckets = new Map<string, Bucket>();
  const take = (key: string, points: number, rule: BucketRule): Consumption => {
    const nowMs = clock.nowMs();
    const known = buckets.get(key) ?? { level: rule.capacity, atMs: nowMs };
    const flown = (Math.max(0, nowMs - known.atMs) / 1_000) * rule.restorePerSecond;
    const level = Math.min(rule.capacity, known.level + flown);
    const allowed = level >= points;
    const left = allowed ? level - points : level;
    buckets.delete(key);
    buckets.set(key, { level: left, atMs: nowMs });
    if (buckets.size > bucketsMax) {
      const [oldest] = buckets.keys();
      if (oldest !== undefined) buckets.delete(oldest);
    }
    return consumptionOf({ allowed, level: left }, points, rule);
  };
  return {
    consume: async (key, points, rule) => take(key, points, rule),
    close: () => buckets.clear(),
  };
}
