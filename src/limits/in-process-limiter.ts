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

/** Buckets of this process alone, asked without waiting. */
export class InProcessBuckets {
  readonly #clock: Clock;
  readonly #bucketsMax: number;
  /** In the order of use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ clock, bucketsMax = BUCKETS_MAX }: { readonly clock: Clock; readonly bucketsMax?: number }) {
    this.#clock = clock;
    this.#bucketsMax = bucketsMax;
  }

  /** Takes the points, or nothing when there are fewer. */
  take(key: string, points: number, rule: BucketRule): Consumption {
    const nowMs = this.#clock.nowMs();
    const level = levelOf(this.#buckets.get(key) ?? { level: rule.capacity, atMs: nowMs }, rule, nowMs);
    const allowed = level >= points;
    const left = allowed ? level - points : level;
    this.#keep(key, { level: left, atMs: nowMs, rule });
    return consumptionOf({ allowed, level: left }, points, rule);
  }

  giveBack(key: string, points: number, rule: BucketRule): void {
    const bucket = this.#buckets.get(key);
    // One that is not kept is full.
    if (bucket === undefined) return;
    const nowMs = this.#clock.nowMs();
    const level = Math.min(rule.capacity, levelOf(bucket, rule, nowMs) + points);
    this.#buckets.set(key, { level, atMs: nowMs, rule });
  }

  /** Leaves no more than `level` in the bucket. */
  lower(key: string, level: number, rule: BucketRule): void {
    const nowMs = this.#clock.nowMs();
    const now = levelOf(this.#buckets.get(key) ?? { level: rule.capacity, atMs: nowMs }, rule, nowMs);
    this.#keep(key, { level: Math.min(now, level), atMs: nowMs, rule });
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    if (this.#buckets.size >= this.#bucketsMax) dropFullest(this.#buckets, bucket.atMs);
    this.#buckets.set(key, bucket);
  }

  clear(): void {
    this.#buckets.clear();
  }
}

/** A limiter of this process alone: for `tallylight start` without Redis, and while Redis is away. */
export function createInProcessLimiter(options: {
  readonly clock: Clock;
  readonly bucketsMax?: number;
}): Limiter {
  const buckets = new InProcessBuckets(options);
  return {
    consume: async (key, points, rule) => buckets.take(key, points, rule),
    giveBack: async (key, points, rule) => buckets.giveBack(key, points, rule),
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
