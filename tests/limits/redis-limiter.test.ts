import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/lib/logger.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createRedisLimiter } from '../../src/limits/redis-limiter.ts';
import { hasRedisServer, newPrefix, removeKeys, startPrivateRedis } from '../bus/redis-support.ts';
import { testRedisUrl } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { describeLimiterContract } from './contract.ts';

const sharedUrl = testRedisUrl();

function open(url: string, settings: { readonly keyPrefix?: string; readonly logger?: Logger } = {}) {
  const { keyPrefix = newPrefix(), logger = createLogger('silent') } = settings;
  return createRedisLimiter({ url, keyPrefix, secret: SECRET, clock: systemClock, logger });
}
const SECRET = randomBytes(32);

describe.skipIf(sharedUrl === null)('on a real Redis', () => {
  describeLimiterContract('Redis', async () => {
    const keyPrefix = newPrefix();
    const limiter = await open(sharedUrl ?? '', { keyPrefix });
    const other = await open(sharedUrl ?? '', { keyPrefix });
    return {
      limiter,
      other,
      [Symbol.asyncDispose]: async () => {
        limiter.close();
        other.close();
        await removeKeys(sharedUrl ?? '', keyPrefix);
      },
    };
  });

  it('leaves nothing in Redis that names anybody, and nothing for ever [T-D4]', async () => {
    const keyPrefix = newPrefix();
    const limiter = await open(sharedUrl ?? '', { keyPrefix });
    const redis = new Redis(sharedUrl ?? '');
    try {
      await limiter.consume('address 203.0.113.7', 5, { capacity: 10, restorePerSecond: 1 });
      const keys = await redis.keys(`{${keyPrefix}:*`);
      expect(keys).toHaveLength(1);
      expect(keys[0]).toMatch(/^\{[\w-]+:limit:[\w-]{43}\}$/);
      const left = await redis.pttl(keys[0] ?? '');
      expect(left).toBeGreaterThan(5_000);
      expect(left).toBeLessThanOrEqual(6_000);
    } finally {
      limiter.close();
      redis.disconnect();
      await removeKeys(sharedUrl ?? '', keyPrefix);
    }
  });
});

describe.skipIf(!hasRedisServer())('while Redis is away', { timeout: 30_000 }, () => {
  it('holds a stricter rule by itself, says so once, and shares again by itself [T-D4]', async () => {
    await using redis = await startPrivateRedis(['--appendonly', 'no']);
    const told: string[] = [];
    const note = (...args: readonly unknown[]) => told.push(String(args.at(-1)));
    // Only what the limiter says is of interest here.
    const logger = { ...createLogger('silent'), warn: note, info: note } as unknown as Logger;
    const limiter = await open(redis.url, { logger });
    const rule = { capacity: 100, restorePerSecond: 0.001 };
    expect(await limiter.consume('a', 10, rule)).toMatchObject({ allowed: true, remaining: 90 });
    await redis.kill();
    expect(await limiter.consume('a', 10, rule)).toMatchObject({ allowed: true, remaining: 15 });
    expect(await limiter.consume('a', 10, rule)).toMatchObject({ allowed: true, remaining: 5 });
    expect(await limiter.consume('a', 10, rule)).toMatchObject({
      allowed: false,
      remaining: 5,
      rule: { capacity: 25, restorePerSecond: 0.00025 },
    });
    await redis.start();
    await waitFor(async () => (await limiter.consume('b', 0, rule)).rule.capacity === 100);
    expect(told.filter((event) => event.startsWith('limits.'))).toEqual([
      'limits.redis_lost',
      'limits.redis_back',
    ]);
    limiter.close();
  });

  it('does not let a Redis that hangs hold up requests', async () => {
    await using redis = await startPrivateRedis(['--appendonly', 'no']);
    const limiter = await open(redis.url);
    const rule = { capacity: 100, restorePerSecond: 0.001 };
    await limiter.consume('a', 1, rule);
    process.kill(redis.pid(), 'SIGSTOP');
    const began = performance.now();
    expect(await limiter.consume('a', 1, rule)).toMatchObject({ allowed: true, rule: { capacity: 25 } });
    for (let index = 0; index < 20; index += 1) await limiter.consume('a', 1, rule);
    expect(performance.now() - began).toBeLessThan(1_000);
    process.kill(redis.pid(), 'SIGCONT');
    limiter.close();
  });
});
