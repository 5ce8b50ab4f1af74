import { randomInt } from 'node:crypto';

/** A number in [0, 1), from the machine's randomness: spreads retries, decides nothing else. */
export function randomFraction(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/**
 * Milliseconds to wait before try number `failures` + 1: doubles from `baseMs` to `maxMs`, and is spread over its upper
 * half, so that those who failed together do not come back together.
 */
export function backOffMs(options: {
  readonly failures: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}): number {
  const full = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(options.failures - 1, 30));
  return Math.round(full * (0.5 + options.random() / 2));
}
