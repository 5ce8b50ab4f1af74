/** A bucket of points: full at first, it fills again steadily. What is not there cannot be taken. */
export interface BucketRule {
  /** What a full bucket holds, in points: the largest burst. */
  readonly capacity: number;
  /** Points that flow in per second: what can be taken in the long run. */
  readonly restorePerSecond: number;
}

/** What became of an attempt to take points out of a bucket. */
export interface Consumption {
  /** Whether they were taken. Refused attempts take nothing. */
  readonly allowed: boolean;
  /** Whole points left in the bucket. */
  readonly remaining: number;
  /** Whole seconds, at least 1, until the same attempt would succeed; 0 when it did. */
  readonly retryAfterSeconds: number;
  /** The rule that was held: a stricter one than asked for while the shared bucket is out of reach. */
  readonly rule: BucketRule;
}

/** Buckets by name, shared by every process that has the same adapter behind it. */
export interface Limiter {
  /**
   * Takes `points` out of the bucket `key`, or nothing when there are fewer. `key` may name a person or an address: it
   * leaves the process only as a keyed hash. More points than the bucket can hold are refused for ever.
   */
  consume(key: string, points: number, rule: BucketRule): Promise<Consumption>;
  /** Puts points back that were taken from the bucket for something that turned out not to count. It never holds more than it can. */
  giveBack(key: string, points: number, rule: BucketRule): Promise<void>;
  /** Lets go of connections. */
  close(): void;
}

/** The outcome, from what the bucket holds after the attempt. */
export function consumptionOf(
  bucket: { readonly allowed: boolean; readonly level: number },
  points: number,
  rule: BucketRule,
): Consumption {
  const missing = Math.max(0, points - bucket.level);
  return {
    allowed: bucket.allowed,
    remaining: Math.max(0, Math.floor(bucket.level)),
    retryAfterSeconds: bucket.allowed ? 0 : Math.max(1, Math.ceil(missing / rule.restorePerSecond)),
    rule,
  };
}
