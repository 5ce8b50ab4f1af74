import type { Clock } from '../lib/clock.ts';
import { type BucketRule, type Consumption, consumptionOf, type Limiter } from './limiter.ts';

/** Buckets kept at most. A full one that goes is not missed; a drained one would be full again. */
const BUCKETS_MAX = 50_000;
/** Of so many that were not used for longest the fullest goes: whoever makes up names empties no bucket of somebody else. */
const CANDIDATES = 32;

interface Bucket {
  readonly level: number;
  readonly atMs: number;
  readonly rule: BucketRule;
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
    const level = levelOf(buckets.get(key) ?? { level: rule.capacity, atMs: nowMs }, rule, nowMs);
    const allowed = level >= points;
    const left = allowed ? level - points : level;
    buckets.delete(key);
    if (buckets.size >= bucketsMax) dropFullest(buckets, nowMs);
    buckets.set(key, { level: left, atMs: nowMs, rule });
    return consumptionOf({ allowed, level: left }, points, rule);
  };
  return {
    consume: async (key, points, rule) => take(key, points, rule),
    giveBack: async (key, points, rule) => {
      const bucket = buckets.get(key);
      // One that is not kept is full.
      if (bucket === undefined) return;
      const nowMs = clock.nowMs();
      const level = Math.min(rule.capacity, levelOf(bucket, rule, nowMs) + points);
      buckets.set(key, { level, atMs: nowMs, rule });
    },
    close: () => buckets.clear(),
  };
}

function levelOf(bucket: Omit<Bucket, 'rule'>, rule: BucketRule, nowMs: number): number {
  const flown = (Math.max(0, nowMs - bucket.atMs) / 1_000) * rule.restorePerSecond;
  return Math.min(rule.capacity, bucket.level + flown);
}

function dropFullest(buckets: Map<string, Bucket>, nowMs: number): void {
  let fullest: { readonly key: string; readonly share: number } | null = null;
  let looked = 0;
  for (const [key, bucket] of buckets) {
    const share = levelOf(bucket, bucket.rule, nowMs) / bucket.rule.capacity;
    if (fullest === null || share > fullest.share) fullest = { key, share };
    looked += 1;
    if (share === 1 || looked === CANDIDATES) break;
  }
  if (fullest !== null) buckets.delete(fullest.key);
}
