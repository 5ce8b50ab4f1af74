import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import type { EventBus } from '../../src/bus/port.ts';
import { createRedisBus, type RedisBusOptions } from '../../src/bus/redis-bus.ts';
import { testRedisUrl } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { outputOf, runToExit, startChild } from './child.ts';
import { keysUnder, newPrefix, redisBusOptions, removeKeys } from './redis-support.ts';
import { append, chat, chats, collect, consuming, newChannel, numbersOf, range } from './support.ts';

const redisUrl = testRedisUrl();
const url = redisUrl ?? '';

/** Processes of one deployment, or of two: buses with the same keys. */
class Deployment implements AsyncDisposable {
  readonly keyPrefix = newPrefix();
  readonly redis = new Redis(url);
  readonly #buses: EventBus[] = [];

  async open(options: Partial<RedisBusOptions> = {}): Promise<EventBus> {
    const bus = await createRedisBus(redisBusOptions({ url, keyPrefix: this.keyPrefix, ...options }));
    this.#buses.push(bus);
    return bus;
  }

  /** Who owns each of the four shards for the group `storage`. */
  owners(): Promise<readonly (string | null)[]> {
    const keys = range(0, 4).map((shard) => `{${this.keyPrefix}:s${shard}}:reader:test:storage`);
    return Promise.all(keys.map((key) => this.redis.hget(key, 'owner')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#buses.map((bus) => bus.close()));
    this.redis.disconnect();
    await removeKeys(url, this.keyPrefix);
  }
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe.skipIf(redisUrl === null)('groups over several processes', () => {
  it('delivers again what a killed process had in hand, as a further attempt, in order', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open();
    const channelId = newChannel();
    await append(bus, channelId, chats(channelId, 50));
    const child = startChild(script('consumer-child.ts'), [url, deployment.keyPrefix]);
    const output = outputOf(child);
    await waitFor(() => output.text() !== '', { timeoutMs: 20_000 });
    await append(bus, channelId, chats(channelId, 50, 51));
    child.kill('SIGKILL');
    const { seen } = await collect(bus);
    await waitFor(() => seen.length >= 100, { timeoutMs: 15_000 });
    expect(numbersOf(seen)).toEqual(range(1, 100));
    const inHand = Number(output.text());
    expect(inHand).toBeGreaterThan(0);
    expect(seen.map(({ attempt }) => attempt)).toEqual([
      ...range(1, inHand).map(() => 2),
      ...range(1, 100 - inHand).map(() => 1),
    ]);
  });

  it('gives up an event that kills its consumers, after many of them, and goes on with the rest', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const channelId = newChannel();
    await append(bus, channelId, chats(channelId, 3));
    const stream = `{${deployment.keyPrefix}:s0}:events`;
    await deployment.redis.xgroup('CREATE', stream, 'test:storage', '0');
    await deployment.redis.xreadgroup('GROUP', 'test:storage', 'dead', 'STREAMS', stream, '>');
    for (const _ of range(1, 14)) await deployment.redis.xautoclaim(stream, 'test:storage', 'dead', 0, '0');
    const { seen } = await collect(bus, { attemptsMax: 3 });
    await waitFor(() => seen.length >= 2);
    // Only the first can have been in the dead consumers' hands: beyond the attempts events come one by one.
    expect(numbersOf(seen)).toEqual([2, 3]);
    const letters = await bus.deadLetters({ limit: 10 });
    expect(letters).toMatchObject([{ reason: 'its consumers died while it was in hand', attempts: 16 }]);
    expect(JSON.parse(letters[0]?.message ?? '')).toEqual({ ...chat(channelId, 1), sequence: 1 });
  });

  it('shares the shards fairly, and shares them anew when a member joins or leaves', async () => {
    await using deployment = new Deployment();
    const first = await deployment.open();
    const second = await deployment.open();
    const channels = range(0, 12).map(() => newChannel());
    const a = await collect(first, { consumerId: 'a' });
    expect(await deployment.owners()).toEqual(['a', 'a', 'a', 'a']);
    const b = await collect(second, { consumerId: 'b' });
    const appendAll = async (from: number) => {
      for (const channelId of channels) await append(first, channelId, chats(channelId, 10, from));
    };
    await appendAll(1);
    await waitFor(async () => (await deployment.owners()).toSorted().join() === 'a,a,b,b', {
      message: 'two shards each',
    });
    await appendAll(11);
    await waitFor(() => a.seen.length + b.seen.length >= 240);
    expect(b.seen.length).toBeGreaterThan(0);
    await a.stop();
    await waitFor(async () => (await deployment.owners()).join() === 'b,b,b,b', { message: 'all shards' });
    await appendAll(21);
    await waitFor(() => a.seen.length + b.seen.length >= 360);
    for (const channelId of channels) {
      const ofChannel = [...a.seen, ...b.seen].filter(({ event }) => event.channelId === channelId);
      expect(numbersOf(ofChannel)).toEqual(range(1, 30));
    }
  });

  it('keeps deployments with another group prefix apart: both get everything, dead letters are their own', async () => {
    await using deployment = new Deployment();
    const blue = await deployment.open({ groupPrefix: 'blue:' });
    const green = await deployment.open({ groupPrefix: 'green:' });
    const channelId = newChannel();
    const { seen } = await collect(blue);
    await green.consume(
      consuming(async (batch) => ({
        rejected: batch.map(({ cursor }) => ({ cursor, reason: 'not wanted' })),
      })),
    );
    await append(blue, channelId, chats(channelId, 5));
    await waitFor(async () => (await green.deadLetters({ limit: 10 })).length === 5);
    await waitFor(() => seen.length === 5);
    expect(numbersOf(seen)).toEqual(range(1, 5));
    expect(await blue.deadLetters({ limit: 10 })).toEqual([]);
  });

  it('stops reading a shard that somebody else has taken, and hands strays to the new owner', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const channelId = newChannel();
    const { seen } = await collect(bus, { consumerId: 'a' });
    await append(bus, channelId, [chat(channelId, 1)]);
    await waitFor(() => seen.length === 1);
    const stream = `{${deployment.keyPrefix}:s0}:events`;
    // A former owner's read that Redis answered late: entries in the hands of nobody alive.
    await deployment.redis.eval(
      "redis.call('XADD', KEYS[1], '*', 's', '2', 'e', ARGV[1]) return redis.call('XREADGROUP', 'GROUP', 'test:storage', 'zombie', 'STREAMS', KEYS[1], '>')",
      1,
      stream,
      JSON.stringify(chat(channelId, 2)),
    );
    await waitFor(() => seen.length === 2, { timeoutMs: 12_000 });
    expect(numbersOf(seen)).toEqual([1, 2]);
    expect(seen[1]?.attempt).toBe(2);
    await deployment.redis.hset(
      `{${deployment.keyPrefix}:s0}:reader:test:storage`,
      'owner',
      'thief',
      'epoch',
      '1',
    );
    await waitFor(async () => (await deployment.owners())[0] === 'a', {
      message: 'the shard to be taken again when the thief is gone',
    });
    await append(bus, channelId, [chat(channelId, 3)]);
    await waitFor(() => seen.length === 3);
  });
});

describe.skipIf(redisUrl === null)('what is in Redis', () => {
  it('[T-T3] treats foreign entries and messages as dead letters or nothing, never as events', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const channelId = newChannel();
    const { seen } = await collect(bus);
    const live: number[] = [];
    await bus.subscribe(channelId, { listener: (delivery) => live.push(...numbersOf([delivery])) });
    const tag = `{${deployment.keyPrefix}:s0}`;
    const foreign: readonly (readonly [string, string, string, string])[] = [
      ['s', '1', 'e', '{"half":'],
      ['s', '0', 'e', JSON.stringify(chat(channelId, 90))],
      ['s', 'x', 'e', JSON.stringify(chat(channelId, 91))],
      ['s', '1', 'e', 'null'],
      ['s', '1', 'e', '{"schemaVersion":"2"}'],
      ['hello', 'world', 'e', '{}'],
    ];
    for (const fields of foreign) {
      await deployment.redis.xadd(`${tag}:events`, '*', ...fields);
      await deployment.redis.spublish(`${tag}:live:${channelId}`, `1-1 ${fields[1]} ${fields[3]}`);
    }
    await deployment.redis.spublish(`${tag}:live:${channelId}`, '');
    await append(bus, channelId, [chat(channelId, 1)]);
    await waitFor(() => seen.length > 0 && live.length > 0);
    expect(numbersOf(seen)).toEqual([1]);
    expect(live).toEqual([1]);
    const letters = await bus.deadLetters({ group: 'storage', limit: 10 });
    expect(letters.map(({ reason }) => reason)).toEqual(
      foreign.map(() => 'the entry is no event of this version'),
    );
  });

  it('[T-D1] expires by itself but for streams and groups, and one hash tag holds what an append touches', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open();
    const channelId = newChannel();
    const lease = await bus.acquireLease({ name: `room:${channelId}`, ownerId: 'a', ttlMs: 60_000 });
    await bus.append({
      channelId,
      lease,
      sequenceFloor: 0,
      events: chats(channelId, 3),
      stateChanges: { set: { likes: '1' } },
    });
    await bus.presence.beat({ channelId, kind: 'overlay', connectionId: 'a', ttlMs: 60_000 });
    await collect(bus);
    const keys = await keysUnder(deployment.redis, deployment.keyPrefix);
    const lasting = await Promise.all(
      keys.map(async (key) => ((await deployment.redis.pttl(key)) < 0 ? key.replace(/.*:/, '') : 'expires')),
    );
    expect(new Set(lasting)).toEqual(new Set(['expires', 'events', 'readers']));
    const ofChannel = keys.filter((key) => key.includes(channelId));
    expect(ofChannel).toHaveLength(5);
    expect(new Set(ofChannel.map((key) => key.slice(0, key.indexOf('}')))).size).toBe(1);
  });

  it('[T-I7] keeps what names people no longer than a day, and unread events for as long as it takes', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const channelId = newChannel();
    const lease = await bus.acquireLease({ name: `room:${channelId}`, ownerId: 'a', ttlMs: 60_000 });
    const stream = `{${deployment.keyPrefix}:s0}:events`;
    const { redis } = deployment;
    // As if appended long ago.
    const old = JSON.stringify({ ...chat(channelId, 1), sequence: 1 });
    await redis.xadd(stream, '1000-1', 's', '1', 'e', old);
    await redis.zadd(`{${deployment.keyPrefix}:s0}:readers`, Date.now(), 'test:forwarding');
    await bus.append({
      channelId,
      lease,
      sequenceFloor: 1,
      events: [chat(channelId, 2)],
      stateChanges: { set: { likes: '1' } },
    });
    const [state] = (await keysUnder(redis, deployment.keyPrefix)).filter((key) => key.includes(':state:'));
    expect(await redis.pttl(state ?? '')).toBeLessThanOrEqual(24 * 60 * 60 * 1_000);

    const readAll = async (group: string) => {
      const { seen, stop } = await collect(bus, { group });
      await waitFor(() => seen.length === 2);
      await stop();
    };
    const ids = async () => (await redis.xrange(stream, '-', '+')).map(([id]) => id);
    await readAll('storage');
    const again = await collect(bus, { group: 'storage' });
    await sleep(300);
    expect(await ids()).toHaveLength(2);
    await again.stop();
    await readAll('forwarding');
    const after = await collect(bus, { group: 'storage' });
    await waitFor(async () => (await ids()).length === 1);
    expect(await ids()).not.toContain('1000-1');
    await after.stop();
  });

  it('[T-I7] lets dead letters go after a month', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const key = `{${deployment.keyPrefix}:dead:test:}:letters`;
    await deployment.redis.xadd(
      key,
      '1000-1',
      'at',
      '1',
      'group',
      'storage',
      'reason',
      'old',
      'message',
      'x',
    );
    const channelId = newChannel();
    const letter = { group: 'storage', reason: 'new', attempts: 1, channelId, message: 'y' };
    await bus.addDeadLetter({ ...letter, at: Date.now() });
    expect((await bus.deadLetters({ limit: 10 })).map(({ reason }) => reason)).toEqual(['new']);
    expect(await deployment.redis.pttl(key)).toBeGreaterThan(0);
  });

  it('forgets the names of consumers that are gone', async () => {
    await using deployment = new Deployment();
    const bus = await deployment.open({ shards: 1 });
    const channelId = newChannel();
    for (const consumerId of ['a', 'b', 'c']) {
      const { seen, stop } = await collect(bus, { consumerId });
      await append(bus, channelId, [chat(channelId, consumerId.charCodeAt(0))]);
      await waitFor(() => seen.length === 1);
      await stop();
    }
    const consumers = await deployment.redis.xinfo(
      'CONSUMERS',
      `{${deployment.keyPrefix}:s0}:events`,
      'test:storage',
    );
    expect(consumers).toHaveLength(1);
  });

  it('leaves nothing running after close', async () => {
    const keyPrefix = newPrefix();
    const child = await runToExit(script('close-child.ts'), [url, keyPrefix]);
    await removeKeys(url, keyPrefix);
    expect(child).toEqual({ code: 0, signal: null, output: 'closed\n' });
  });
});
