import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../src/lib/backoff.ts';

const middle = () => 0.5;

describe('backoffMs', () => {
  it('doubles from 1 s to 60 s', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((attempt) => backoffMs(attempt, middle));
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('is spread by 20 % to each side', () => {
    expect(backoffMs(3, () => 0)).toBe(3_200);
    expect(backoffMs(3, () => 0.999_999)).toBe(4_800);
  });

  it('stays between 0.8 and 72 s whatever the attempt and the chance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5, max: 1e9 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, chance) => {
          const ms = backoffMs(attempt, () => chance);
          return Number.isInteger(ms) && ms >= 800 && ms <= 72_000;
        },
      ),
    );
  });
});
