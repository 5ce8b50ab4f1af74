import { expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createInProcessLimiter } from '../../src/limits/in-process-limiter.ts';
import { describeLimiterContract } from './contract.ts';

describeLimiterContract('in process', async () => {
  const limiter = createInProcessLimiter({ clock: systemClock });
  return { limiter, other: limiter, [Symbol.asyncDispose]: async () => limiter.close() };
});

it('restores exactly what the rule says in the time that has passed', async () => {
  let nowMs = 1_000;
  const limiter = createInProcessLimiter({ clock: { nowMs: () => nowMs } });
  const rule = { capacity: 100, restorePerSecond: 10 };
  await limiter.consume('a', 100, rule);
  nowMs += 4_500;
  expect(await limiter.consume('a', 46, rule)).toEqual({
    allowed: false,
    remaining: 45,
    retryAfterSeconds: 1,
    rule,
  });
  // A clock that is set back gives nothing and takes nothing.
  nowMs -= 60_000;
  expect(await limiter.consume('a', 45, rule)).toMatchObject({ allowed: true, remaining: 0 });
});

it('keeps no more buckets than it may, dropping those not used for longest [T-D4]', async () => {
  const limiter = createInProcessLimiter({ clock: systemClock, bucketsMax: 2 });
  const rule = { capacity: 1, restorePerSecond: 0.001 };
  for (const key of ['a', 'b', 'a', 'c']) await limiter.consume(key, 1, rule);
  expect(await limiter.consume('a', 1, rule)).toMatchObject({ allowed: false });
  expect(await limiter.consume('b', 1, rule)).toMatchObject({ allowed: true });
});

it('keeps a drained bucket while others come that are nearly full [T-D4]', async () => {
  const limiter = createInProcessLimiter({ clock: systemClock, bucketsMax: 10 });
  const rule = { capacity: 5, restorePerSecond: 0.001 };
  await limiter.consume('sign-in', 5, rule);
  for (let index = 0; index < 100; index += 1) await limiter.consume(`made up ${index}`, 1, rule);
  expect(await limiter.consume('sign-in', 1, rule)).toMatchObject({ allowed: false });
});
