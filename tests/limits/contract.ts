import { describe, expect, it } from 'vitest';
import type { Limiter } from '../../src/limits/limiter.ts';
import { waitFor } from '../support/wait.ts';

/** A limiter of a test's own, and another process's view of the same buckets. */
export interface TestLimiter extends AsyncDisposable {
  readonly limiter: Limiter;
  readonly other: Limiter;
}

/** Slow enough that nothing flows back during a test. */
const SLOW = { capacity: 100, restorePerSecond: 0.001 };

/** The promises of `src/limits/limiter.ts`, for one adapter. */
export function describeLimiterContract(adapter: string, open: () => Promise<TestLimiter>): void {
  describe(`the limiter contract: ${adapter}`, () => {
    it('takes points while there are any, says how many are left, and takes nothing when it refuses [T-D4]', async () => {
      await using made = await open();
      expect(await made.limiter.consume('a', 60, SLOW)).toEqual({
        allowed: true,
        remaining: 40,
        retryAfterSeconds: 0,
        rule: SLOW,
      });
      const refused = await made.limiter.consume('a', 41, SLOW);
      expect(refused).toMatchObject({ allowed: false, remaining: 40 });
      expect(refused.retryAfterSeconds).toBeGreaterThan(900);
      expect(refused.retryAfterSeconds).toBeLessThanOrEqual(1_000);
      expect(await made.limiter.consume('a', 40, SLOW)).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('keeps buckets apart', async () => {
      await using made = await open();
      await made.limiter.consume('a', 100, SLOW);
      expect(await made.limiter.consume('b', 100, SLOW)).toMatchObject({ allowed: true });
    });

    it('takes points back, never beyond what the bucket can hold', async () => {
      await using made = await open();
      await made.limiter.consume('a', 60, SLOW);
      await made.other.giveBack('a', 25, SLOW);
      expect(await made.limiter.consume('a', 0, SLOW)).toMatchObject({ remaining: 65 });
      await made.limiter.giveBack('a', 1_000, SLOW);
      await made.limiter.giveBack('never used', 1_000, SLOW);
      expect(await made.limiter.consume('a', 101, SLOW)).toMatchObject({ allowed: false, remaining: 100 });
      expect(await made.limiter.consume('never used', 101, SLOW)).toMatchObject({ allowed: false });
    });

    it('refuses more than a bucket can hold', async () => {
      await using made = await open();
      expect(await made.limiter.consume('a', 101, SLOW)).toMatchObject({ allowed: false, remaining: 100 });
    });

    it('fills again, up to its capacity', async () => {
      await using made = await open();
      const rule = { capacity: 100, restorePerSecond: 1_000 };
      expect(await made.limiter.consume('a', 100, rule)).toMatchObject({ allowed: true });
      await waitFor(async () => (await made.limiter.consume('a', 0, rule)).remaining === 100);
      expect(await made.limiter.consume('a', 1, rule)).toMatchObject({ allowed: true });
    });

    it('holds over all processes, and attempts at the same time [T-D4]', async () => {
      await using made = await open();
      const attempts = Array.from({ length: 50 }, (_, index) =>
        (index % 2 === 0 ? made.limiter : made.other).consume('a', 10, SLOW),
      );
      const outcomes = await Promise.all(attempts);
      expect(outcomes.filter(({ allowed }) => allowed)).toHaveLength(10);
    });
  });
}
