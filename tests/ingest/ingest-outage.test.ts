import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Client } from 'pg';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { testDatabaseUrl, testRedisUrl } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { breakableLink } from './support/breakable-link.ts';
import { collected, ingestFixture, inProcessBus, wantedChannel } from './support/ingest.ts';
import { chat, chatNumbers, GIVER, giftCountOf, giftsOf, roseOf, upTo } from './support/messages.ts';
import { storedRows } from './support/rows.ts';
import { quietLogger, simulatorFixture } from './support/source.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

/** Shuts PostgreSQL's door to this database: connections are cut, and new ones refused. */
async function withoutDatabase(work: () => Promise<void>): Promise<void> {
  const admin = new Client({ connectionString: testDatabaseUrl() });
  await admin.connect();
  const name = admin.escapeIdentifier(new URL(database.url).pathname.slice(1));
  try {
    await admin.query(`alter database ${name} with allow_connections false`);
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
      new URL(database.url).pathname.slice(1),
    ]);
    await work();
  } finally {
    await admin.query(`alter database ${name} with allow_connections true`);
    await admin.end();
  }
}

describe('while PostgreSQL is away', () => {
  it('[T-D6] events go on, also over a reconnect, and what happened is written afterwards', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture({ handles: ['outage'] });
    const room = simulator.room();
    const bus = inProcessBus();
    const channelId = await wantedChannel(db, 'outage');
    const events = await collected(bus, channelId);
    await using _service = await ingestFixture({ db, bus, simulator });
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 10);
    await waitFor(() => chatNumbers(events).length === 10);
    await waitFor(async () => (await storedRows(db, channelId)).connection?.state === 'LIVE');
    await withoutDatabase(async () => {
      await chat(room, 10, 10);
      await waitFor(() => chatNumbers(events).length === 20);
      room.terminate();
      await waitFor(() => room.counters.entered === 2 && room.viewers === 1);
      await chat(room, 20, 10);
      await waitFor(() => chatNumbers(events).length === 30);
      expect(chatNumbers(events)).toEqual(upTo(30));
    });
    await waitFor(async () => (await storedRows(db, channelId)).gaps.length > 0, { timeoutMs: 20_000 });
    await waitFor(async () => (await storedRows(db, channelId)).sessions.length === 2, { timeoutMs: 20_000 });
    const { connection, gaps, sessions } = await storedRows(db, channelId);
    expect(connection?.state).toBe('LIVE');
    expect(sessions.map(({ state }) => state)).toEqual(['FAILED', 'LIVE']);
    expect(gaps).toMatchObject([{ reason: 'DISCONNECTED', to_at: expect.any(Date) }]);
    await db.updateTable('channel').set({ wanted: false }).execute();
  }, 60_000);
});

describe('under a flood', () => {
  it('[T-D1] bounds the queue, merges joins and likes first, and keeps every gift and chat while consumers are stuck', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture({ handles: ['flooded'] });
    const room = simulator.room();
    const bus = createInProcessBus({
      clock: systemClock,
      streamEventsMax: 500,
      appendWaitMs: 200,
      retryBaseMs: 10,
    });
    const channelId = await wantedChannel(db, 'flooded');
    const events = await collected(bus, channelId);
    const door = Promise.withResolvers<void>();
    const consumer = await bus.consume({
      group: 'storage',
      consumerId: 'stuck',
      batchMax: 500,
      lingerMs: 0,
      attemptsMax: 3,
      handler: async () => {
        await door.promise;
        return { rejected: [] };
      },
    });
    const registry = new Registry();
    await using _service = await ingestFixture({ db, bus, simulator, registry });
    await waitFor(() => room.viewers === 1);
    const flood = (async () => {
      for (let start = 0; start < 30_000; start += 100) {
        const messages = upTo(100).map((index) => {
          const number = start + index;
          if (number % 50 === 0) return room.message('WebcastChatMessage', { content: `${number / 50}` });
          // Streaks of ten steps, each message one more rose.
          if (number % 50 === 1)
            return roseOf(room, (((number - 1) / 50) % 10) + 1, `${Math.floor(number / 500) + 1}`);
          if (number % 2 === 0) return room.message('WebcastMemberMessage', { user: GIVER, action: 1 });
          return room.message('WebcastLikeMessage', { user: GIVER, count: 1, total: `${number}` });
        });
        await room.sendFrame(messages);
      }
    })();
    const metric = async (line: RegExp) => Number(line.exec(await registry.metrics())?.[1] ?? '0');
    await waitFor(async () => (await metric(/^tallylight_ingest_pressure (\S+)/m)) >= 0.25);
    expect(await metric(/^tallylight_ingest_queue_events (\d+)/m)).toBeLessThanOrEqual(8_192 + 64);
    door.resolve();
    await flood;
    await waitFor(() => chatNumbers(events).length === 600, { timeoutMs: 20_000 });
    expect(chatNumbers(events)).toEqual(upTo(600));
    // Every step of every streak came, in order, and none was merged with another.
    await waitFor(() => giftCountOf(events) === 600);
    const steps = giftsOf(events).filter(({ payload }) => payload.giftCount > 0);
    expect(steps.map(({ payload }) => payload.streakCount)).toEqual(upTo(600).map((step) => (step % 10) + 1));
    await waitFor(async () => (await metric(/^tallylight_ingest_queue_events (\d+)/m)) === 0);
    expect(await metric(/coalesced_events_total\{type="JOIN"\} (\d+)/)).toBeGreaterThan(0);
    // Nothing is lost by merging: each join counts, and the like maximum is the last one's.
    const joins = () =>
      events.reduce((sum, { event }) => sum + (event.eventType === 'JOIN' ? event.payload.joinCount : 0), 0);
    await waitFor(() => joins() >= 14_400);
    expect(joins()).toBe(14_400);
    await consumer.stop();
    await db.updateTable('channel').set({ wanted: false }).execute();
  }, 60_000);

  it('[T-D1] a flooded room does not hold up another one', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture({ handles: ['loud', 'calm'] });
    const [loud, calm] = [simulator.room('loud'), simulator.room('calm')];
    const bus = inProcessBus();
    await wantedChannel(db, 'loud');
    const calmEvents = await collected(bus, await wantedChannel(db, 'calm'));
    await using _service = await ingestFixture({ db, bus, simulator });
    await waitFor(() => loud.viewers === 1 && calm.viewers === 1);
    const frame = loud.encodeFrame(
      upTo(50).map((index) => loud.message('WebcastChatMessage', { content: `${index}`.repeat(500) })),
    );
    const stopping = new AbortController();
    const flood = (async () => {
      while (!stopping.signal.aborted) await loud.writeFrame(frame);
    })();
    const delays: number[] = [];
    for (let number = 0; number < 20; number += 1) {
      const before = performance.now();
      await chat(calm, number, 1);
      await waitFor(() => chatNumbers(calmEvents).length === number + 1);
      delays.push(performance.now() - before);
    }
    stopping.abort();
    await flood;
    expect(delays.toSorted((a, b) => a - b)[10]).toBeLessThan(200);
    await db.updateTable('channel').set({ wanted: false }).execute();
  }, 60_000);
});

const redisUrl = testRedisUrl();

describe.skipIf(redisUrl === null)('two workers on one bus', () => {
  const LEASE_MS = 1_500;

  /** A worker in a process of its own. */
  async function workerProcess(keyPrefix: string, host: string) {
    const child = spawn(
      process.execPath,
      [
        'tests/ingest/support/ingest-process.ts',
        database.url,
        redisUrl ?? '',
        keyPrefix,
        host,
        `${LEASE_MS}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    return { child, [Symbol.dispose]: () => void child.kill('SIGKILL') };
  }

  async function redisBus(keyPrefix: string, url = redisUrl ?? '') {
    return createRedisBus({
      url,
      keyPrefix,
      groupPrefix: keyPrefix,
      shards: 2,
      streamEventsMax: 100_000,
      clock: systemClock,
      logger: quietLogger,
    });
  }

  it('holds events back while Redis is away, and then publishes them in order, each once', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture({ handles: ['without_redis'] });
    const room = simulator.room();
    const address = new URL(redisUrl ?? '');
    await using link = await breakableLink({ host: address.hostname, port: Number(address.port || 6379) });
    const prefix = `test-${randomUUID()}`;
    const observer = await redisBus(prefix);
    const channelId = await wantedChannel(db, 'without_redis');
    const events = await collected(observer, channelId);
    const bus = await redisBus(prefix, `redis://127.0.0.1:${link.port}`);
    const service = await ingestFixture({ db, bus, simulator });
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 100);
    await waitFor(() => chatNumbers(events).length === 100);
    link.cut();
    for (let start = 100; start < 3_000; start += 100) await chat(room, start, 100);
    await waitFor(() => room.counters.acknowledgements === 30);
    expect(chatNumbers(events).length).toBe(100);
    link.mend();
    await waitFor(() => chatNumbers(events).length >= 3_000);
    expect(chatNumbers(events)).toEqual(upTo(3_000));
    expect(new Set(events.map(({ event }) => event.sessionId)).size).toBe(1);
    await db.updateTable('channel').set({ wanted: false }).execute();
    await service.stop();
    await bus.close();
    await observer.close();
  }, 60_000);

  it('stopped while Redis is away, records that what it could not publish is missing', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture({ handles: ['stopped_without_redis'] });
    const room = simulator.room();
    const address = new URL(redisUrl ?? '');
    await using link = await breakableLink({ host: address.hostname, port: Number(address.port || 6379) });
    const prefix = `test-${randomUUID()}`;
    const observer = await redisBus(prefix);
    const channelId = await wantedChannel(db, 'stopped_without_redis');
    const events = await collected(observer, channelId);
    const bus = await redisBus(prefix, `redis://127.0.0.1:${link.port}`);
    const service = await ingestFixture({ db, bus, simulator });
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 10);
    await waitFor(() => chatNumbers(events).length === 10);
    link.cut();
    const lostFrom = Date.now();
    await chat(room, 10, 10);
    await waitFor(() => room.counters.acknowledgements === 2);
    // The last thing heard is later than the first thing lost.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await chat(room, 20, 10);
    await waitFor(() => room.counters.acknowledgements === 3);
    await service.stop();
    const { gaps, sessions } = await storedRows(db, channelId);
    expect(sessions).toMatchObject([{ state: 'ENDED' }]);
    expect(gaps).toMatchObject([{ reason: 'DISCONNECTED', to_at: null }]);
    expect(gaps[0]?.from_at.getTime()).toBeLessThan(lostFrom + 90);
    expect(chatNumbers(events)).toEqual(upTo(10));
    await db.updateTable('channel').set({ wanted: false }).execute();
    await bus.close();
    await observer.close();
  }, 60_000);

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'after %s the other takes the room over in time, and the two never both publish',
    async (signal) => {
      const { db } = database;
      const handle = `shared_${signal.toLowerCase()}`;
      const prefix = `test-${randomUUID()}`;
      await using simulator = await simulatorFixture({ handles: [handle] });
      const room = simulator.room();
      const channelId = await wantedChannel(db, handle);
      const bus = await redisBus(prefix);
      const events = await collected(bus, channelId);
      using first = await workerProcess(prefix, simulator.webHost);
      await waitFor(() => room.viewers === 1);
      let sent = 0;
      const stopping = new AbortController();
      const talk = (async () => {
        while (!stopping.signal.aborted) {
          await chat(room, sent, 1);
          sent += 1;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
      await waitFor(() => chatNumbers(events).length > 50);
      await using second = await ingestFixture({ db, bus, simulator }, { leaseMs: LEASE_MS });
      const firstSession = events[0]?.event.sessionId;
      const strickenAt = performance.now();
      first.child.kill(signal);
      await waitFor(() => events.some(({ event }) => event.sessionId !== firstSession), {
        timeoutMs: 15_000,
      });
      // The lease's term, the competitor's poll, and the time to connect on a busy machine.
      expect(performance.now() - strickenAt).toBeLessThan(LEASE_MS + 2_000);
      if (signal === 'SIGSTOP') {
        // It wakes up with messages in its socket and events in its hand, believing that it holds the room.
        first.child.kill('SIGCONT');
        await waitFor(() => room.counters.entered >= 2);
      }
      const taken = events.length;
      await waitFor(() => events.length > taken + 100);
      stopping.abort();
      await talk;
      await waitFor(() => chatNumbers(events).at(-1) === sent - 1);
      await second.stop();

      const sessions = events.map(({ event }) => event.sessionId);
      const changes = sessions.filter((id, index) => id !== sessions[index - 1]);
      expect(changes.length).toBe(2);
      expect(events.map(({ event }) => event.sequence)).toEqual(
        upTo(events.length).map((index) => index + 1),
      );
      expect(new Set(events.map(({ event }) => event.eventId)).size).toBe(events.length);
      const numbers = chatNumbers(events);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      const { gaps, sessions: rows } = await storedRows(db, channelId);
      expect(gaps[0]).toMatchObject({ reason: 'RESTART', to_at: expect.any(Date) });
      expect(rows.map(({ state }) => state)).toEqual(['FAILED', 'ENDED']);
      await db.updateTable('channel').set({ wanted: false }).execute();
      await bus.close();
    },
    60_000,
  );
});
