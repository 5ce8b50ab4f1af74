import { describe, expect, it } from 'vitest';
import { StaleLeaseError } from '../../src/bus/port.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { DependencyError } from '../../src/errors/errors.ts';
import { waitFor } from '../support/wait.ts';
import { hasRedisServer, redisBusOptions, startPrivateRedis } from './redis-support.ts';
import { append, chat, chats, collect, newChannel, numbersOf, range } from './support.ts';

/** Keeps data as an operator should let it: everything that was answered is on disk. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Appends until it is taken, as a producer does while the bus is out of reach. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DependencyError && error.retryable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe.skipIf(!hasRedisServer())('when Redis goes away', { timeout: 60_000 }, () => {
  it('delivers everything appended, in order and once in the stream, over a crash of Redis during load', async () => {
    await using redis = await startPrivateRedis(DURABLE);
    const bus = await createRedisBus(redisBusOptions({ url: redis.url }));
    const channels = [newChannel(), newChannel(), newChannel()];
    const { seen } = await collect(bus, { batchMax: 50 });
    let interruptions = 0;
    const live: number[] = [];
    await bus.subscribe(channels[0] ?? newChannel(), {
      listener: (delivery) => live.push(...numbersOf([delivery])),
      onInterrupted: () => {
        interruptions += 1;
      },
    });
    const producers = channels.map(async (channelId) => {
      for (const step of range(0, 100)) {
        await persist(() => append(bus, channelId, chats(channelId, 10, step * 10 + 1)));
      }
    });
    await waitFor(() => seen.length > 300);
    await redis.kill();
    const missedBefore = seen.length;
    await redis.start();
    await Promise.all(producers);
    const ids = () => new Set(seen.map(({ event }) => event.eventId));
    await waitFor(() => ids().size === 3_000, { timeoutMs: 30_000 });
    expect(missedBefore).toBeLessThan(3_000);
    for (const channelId of channels) {
      // What was in hand at the crash may come twice; its first coming is in order.
      const ofChannel = seen.filter(({ event }) => event.channelId === channelId);
      const firsts = [...new Map(ofChannel.map((delivery) => [delivery.event.sequence, delivery])).values()];
      expect(firsts.map(({ event }) => event.sequence)).toEqual(range(1, 1_000));
      expect(numbersOf(firsts)).toEqual(range(1, 1_000));
    }
    await waitFor(() => interruptions > 0);
    const liveBefore = live.length;
    await append(bus, channels[0] ?? newChannel(), [chat(channels[0] ?? newChannel(), 5_000)]);
    await waitFor(() => live.length > liveBefore);
    expect(live.at(-1)).toBe(5_000);
    expect(interruptions).toBe(1);
    await bus.close();
  });

  it('refuses appends and subscriptions at once while Redis is away, says so, and recovers by itself', async () => {
    await using redis = await startPrivateRedis(DURABLE);
    const bus = await createRedisBus(redisBusOptions({ url: redis.url }));
    const channelId = newChannel();
    const { seen } = await collect(bus);
    await append(bus, channelId, [chat(channelId, 1)]);
    await redis.kill();
    const began = performance.now();
    await expect(append(bus, channelId, [chat(channelId, 2)])).rejects.toMatchObject({
      name: 'DependencyError',
      dependency: 'redis',
      retryable: true,
    });
    await expect(bus.subscribe(channelId, { listener: () => {} })).rejects.toMatchObject({ retryable: true });
    expect(await bus.health()).toEqual({ kind: 'redis', reachable: false, warnings: [] });
    expect(performance.now() - began).toBeLessThan(2_000);
    await redis.start();
    await persist(() => append(bus, channelId, [chat(channelId, 2)]));
    await waitFor(() => seen.length >= 2);
    expect([...new Set(numbersOf(seen))]).toEqual([1, 2]);
    expect(await bus.health()).toEqual({ kind: 'redis', reachable: true, warnings: [] });
    await bus.close();
  });

  it('rejects instead of hanging while Redis hangs, and what was executed after all is a duplicate', async () => {
    await using redis = await startPrivateRedis(DURABLE);
    const bus = await createRedisBus(redisBusOptions({ url: redis.url }));
    const channelId = newChannel();
    const { seen } = await collect(bus);
    await append(bus, channelId, [chat(channelId, 1)]);
    process.kill(redis.pid(), 'SIGSTOP');
    await expect(append(bus, channelId, [chat(channelId, 2)])).rejects.toMatchObject({ retryable: true });
    process.kill(redis.pid(), 'SIGCONT');
    await waitFor(() => seen.length >= 2);
    expect(await append(bus, channelId, chats(channelId, 2, 2))).toMatchObject([
      { kind: 'DUPLICATE' },
      { kind: 'APPENDED', sequence: 3 },
    ]);
    await waitFor(() => seen.length >= 3);
    expect([...new Set(numbersOf(seen))]).toEqual([1, 2, 3]);
    await bus.close();
  });

  it('goes on above the sequence floor when Redis lost its data, and warns that it does not keep it', async () => {
    await using redis = await startPrivateRedis(['--appendonly', 'no']);
    const bus = await createRedisBus(redisBusOptions({ url: redis.url }));
    const channelId = newChannel();
    const { seen } = await collect(bus);
    const name = `room:${channelId}`;
    const lease = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
    const request = { channelId, lease, sequenceFloor: 0 };
    await bus.append({ ...request, events: chats(channelId, 5) });
    await waitFor(() => seen.length === 5);
    const [warning, ...more] = (await bus.health()).warnings;
    expect(warning).toMatch(/^Redis does not keep its data/);
    expect(more).toEqual([]);
    await redis.kill();
    await redis.start();
    // The lease is lost with the data: its holder must take it anew, and gets a higher epoch.
    await expect(persist(() => bus.append({ ...request, events: [chat(channelId, 6)] }))).rejects.toThrow(
      StaleLeaseError,
    );
    expect(await lease?.renew()).toBe(false);
    const renewed = await bus.acquireLease({ name, ownerId: 'a', ttlMs: 60_000 });
    expect(renewed?.epoch).toBeGreaterThan(lease?.epoch ?? Number.POSITIVE_INFINITY);
    const outcomes = await bus.append({
      channelId,
      lease: renewed,
      sequenceFloor: 5,
      events: [chat(channelId, 6)],
    });
    expect(outcomes).toMatchObject([{ kind: 'APPENDED', sequence: 6 }]);
    await waitFor(() => seen.length === 6, { timeoutMs: 15_000 });
    expect(seen.map(({ event }) => event.sequence)).toEqual(range(1, 6));
    await bus.close();
  });

  it('survives a server that forgot its scripts', async () => {
    await using redis = await startPrivateRedis(['--appendonly', 'no', '--save', '3600 1']);
    const bus = await createRedisBus(redisBusOptions({ url: redis.url }));
    const channelId = newChannel();
    const { seen } = await collect(bus);
    await append(bus, channelId, [chat(channelId, 1)]);
    await redis.command('script', 'flush');
    await append(bus, channelId, [chat(channelId, 2)]);
    await waitFor(() => seen.length === 2);
    expect((await bus.health()).warnings).toEqual([expect.stringMatching(/^Redis keeps snapshots only/)]);
    await bus.close();
  });

  it('says in one sentence, without the password, why it cannot start', async () => {
    await using redis = await startPrivateRedis(['--requirepass', 'open-sesame']);
    const reasons: readonly (readonly [string, string, boolean])[] = [
      ['redis://:wrong@127.0.0.1:1', 'Redis is out of reach', true],
      [redis.url, 'Redis answered NOAUTH', false],
      [redis.url.replace('//', '//:wrong@'), 'Redis answered WRONGPASS', false],
      ['127.0.0.1:6379', 'the Redis address is not of the form redis://host:port', false],
    ];
    for (const [url, message, retryable] of reasons) {
      await expect(createRedisBus(redisBusOptions({ url }))).rejects.toMatchObject({ message, retryable });
    }
    const bus = await createRedisBus(redisBusOptions({ url: redis.url.replace('//', '//:open-sesame@') }));
    expect((await bus.health()).reachable).toBe(true);
    await bus.close();
  });
});
