import { describe, expect, it } from 'vitest';
import { createInProcessLimiter } from '../../src/limits/in-process-limiter.ts';
import { LeasedBuckets } from '../../src/limits/leases.ts';
import type { Limiter } from '../../src/limits/limiter.ts';

const clock = { now: 1_000, nowMs: () => clock.now };
const RULE = { capacity: 10_000, restorePerSecond: 0.001 };

/** Shared buckets that count how often they are asked, as seen by two processes. */
function makeShared() {
  const shared = createInProcessLimiter({ clock });
  const asked = { times: 0 };
  const limiter: Limiter = {
    ...shared,
    consume: (...request) => {
      asked.times += 1;
      return shared.consume(...request);
    },
  };
  return {
    asked,
    shared,
    one: new LeasedBuckets({ limiter, clock }),
    other: new LeasedBuckets({ limiter, clock }),
  };
}

describe('points taken ahead', () => {
  it('save most round trips, and are told as if they had not been taken [T-D4]', async () => {
    const { asked, one } = makeShared();
    for (let index = 1; index <= 100; index += 1) {
      const { allowed, remaining } = await one.consume('a', 2, RULE);
      expect([allowed, remaining]).toEqual([true, 10_000 - 2 * index]);
    }
    expect(asked.times).toBe(10);
  });

  it('allow all processes together what the bucket holds, to the last point and no more [T-D4]', async () => {
    const { one, other } = makeShared();
    let allowed = 0;
    for (let round = 0; round < 800; round += 1) {
      const attempts = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : other).consume('a', 1, RULE),
      );
      allowed += (await Promise.all(attempts)).filter((each) => each.allowed).length;
    }
    // What one holds ahead when the bucket is empty, it spends itself.
    expect(allowed).toBe(10_000);
    const refused = await one.consume('a', 1, RULE);
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.retryAfterSeconds).toBeGreaterThan(900);
  });

  it('are few: never more than a fiftieth of the bucket, and of a small one none [T-D4]', async () => {
    const { one, shared } = makeShared();
    await one.consume('a', 90, RULE);
    expect((await shared.consume('a', 0, RULE)).remaining).toBe(9_800);
    const small = { capacity: 50, restorePerSecond: 0.001 };
    await one.consume('b', 1, small);
    expect((await shared.consume('b', 0, small)).remaining).toBe(49);
    await one.consume('c', 2_000, RULE);
    expect((await shared.consume('c', 0, RULE)).remaining).toBe(8_000);
  });

  it('are not spent later: a bucket that is full again holds no more than it may [T-D4]', async () => {
    const { one } = makeShared();
    const rule = { capacity: 10_000, restorePerSecond: 500 };
    expect((await one.consume('a', 1, rule)).remaining).toBe(9_999);
    clock.now += 60_000;
    let spent = 0;
    while ((await one.consume('a', 100, rule)).allowed) spent += 100;
    expect(spent).toBe(10_000);
  });
});
