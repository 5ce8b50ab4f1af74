/** How the pauses between attempts grow. */
export interface BackoffOptions {
  /** The first pause, in milliseconds. */
  readonly minMs: number;
  /** The longest pause before jitter, in milliseconds. */
  readonly maxMs: number;
}

export const BACKOFF: BackoffOptions = { minMs: 1_000, maxMs: 60_000 };

const FACTOR = 2;
/** Workers that lost the same server do not come back in step: each pause is up to this share shorter or longer. */
const JITTER_SHARE = 0.2;

/**
 * The pause after the `attempt`-th failure in a row (from 1), in whole milliseconds: doubling from `minMs` to `maxMs`, ± 20 %.
 * `random` gives numbers from 0 to below 1.
 */
export function backoffMs(attempt: number, random: () => number, options: BackoffOptions = BACKOFF): number {
  // 2^30 is above any sensible ratio of the limits, and keeps the power finite.
  const doublings = Math.min(Math.max(attempt, 1) - 1, 30);
  const base = Math.min(options.minMs * FACTOR ** doublings, options.maxMs);
  return jittered(base, random);
}

/** `ms` ± 20 %, whole. */
export function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (1 - JITTER_SHARE + 2 * JITTER_SHARE * random()));
}
