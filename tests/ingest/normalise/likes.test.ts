import { describe, expect, it } from 'vitest';
import { LIKES_TOTAL_MAX, LikeMaximum } from '../../../src/ingest/normalise/likes.ts';

describe('the like maximum', () => {
  it('rises with larger totals only, from where it was restored', () => {
    const likes = new LikeMaximum(100);
    expect([90, 100, 101, 0, 250].map((total) => [likes.raise(total), likes.value])).toEqual([
      [false, 100],
      [false, 100],
      [true, 101],
      [false, 101],
      [true, 250],
    ]);
  });

  it('[T-D1] is not poisoned by a total that no stream can have', () => {
    const likes = new LikeMaximum(0);
    expect([likes.raise(LIKES_TOTAL_MAX), likes.raise(LIKES_TOTAL_MAX - 1), likes.value]).toEqual([
      false,
      true,
      LIKES_TOTAL_MAX - 1,
    ]);
  });
});
