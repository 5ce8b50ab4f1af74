import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { Registry } from 'prom-client';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { ConsumeOptions, EventBus } from '../../../src/bus/port.ts';
import { createDatabase, type Database } from '../../../src/db/connect.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { type StorageWorker, startStorageWorker } from '../../../src/events/storage/worker.ts';
import type { UnifiedEvent } from '../../../src/events/unified-event.ts';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { uuidFromId } from '../../../src/lib/ids.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault } from '../../../src/privacy/vault.ts';
import { openRedisTestBus } from '../../bus/redis-support.ts';
import { createTestDatabase } from '../../support/database.ts';
import { startPrivatePostgres } from '../../support/private-postgres.ts';
import { testRedisUrl } from '../../support/servers.ts';
import { MIGRATIONS } from '../../support/template.ts';
import { waitFor } from '../../support/wait.ts';
import {
  giftPayload,
  SAMPLE_TIME_MS,
  type SampleScene,
  sampleEvents,
  sampleScene,
  sampleUser,
} from '../support/sample-events.ts';

const database = await createTestDatabase();
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const logger = createLogger('silent');
const clock: Clock = { nowMs: () => SAMPLE_TIME_MS + 60_000 };
afterAll(() => database[Symbol.asyncDispose]());

let scene: SampleScene;
let make: ReturnType<typeof sampleEvents>;
beforeEach(() => {
  scene = sampleScene();
  make = sampleEvents(scene);
});

/** A worker with memories of its own, as in a process of its own. */
function startWorker(
  bus: EventBus,
  options: { db?: Kysely<Database>; id?: string; batchEventsMax?: number } = {},
): Promise<StorageWorker> {
  const { db = database.db, id = 'one', batchEventsMax = 50 } = options;
  const vault = createVault({ db, masterKey, clock });
  return startStorageWorker(
    { db, bus, vault, clock, logger, registry: new Registry() },
    { consumerId: id, batchEventsMax, lingerMs: 1 },
  );
}

async function append(bus: EventBus, events: readonly UnifiedEvent[]): Promise<void> {
  const [first] = events;
  if (first === undefined) return;
  const drafts = events.map(({ sequence, ...draft }) => draft);
  await bus.append({ channelId: first.channelId, lease: null, sequenceFloor: 0, events: drafts });
}

async function drained(worker: StorageWorker): Promise<void> {
  await waitFor(async () => (await worker.lag()).pendingEvents === 0, {
    timeoutMs: 20_000,
    message: 'storage to be done',
  });
}

/** A hundred gifts and chats of ten people: 50 gifts worth 500 coins. */
function someEvents(count = 100): UnifiedEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const user = sampleUser(index % 10);
    return index % 2 === 0
      ? make('GIFT', giftPayload({ giftCount: 1, coins: 10, streakId: `s${index}` }), { user })
      : make('CHAT', { message: `number ${index}`, emotes: [], language: null }, { user });
  });
}

async function outcome(streamScene = scene, db = database.db) {
  const { rows } = {
    rows: await db
      .selectFrom('event')
      .select('sequence')
      .where('stream_id', '=', uuidFromId(streamScene.streamId))
      .execute(),
  };
  const total = await db
    .selectFrom('stream_total')
    .select(['events', 'gifts', 'coins', 'chats'])
    .where('stream_id', '=', uuidFromId(streamScene.streamId))
    .executeTakeFirst();
  const gifters = await db
    .selectFrom('stream_gifter')
    .select((expression) => expression.fn.sum<bigint | string>('coins').as('coins'))
    .where('stream_id', '=', uuidFromId(streamScene.streamId))
    .executeTakeFirst();
  const people = await db
    .selectFrom('audience_member')
    .select('id')
    .where('channel_id', '=', uuidFromId(streamScene.channelId))
    .execute();
  return { rows: rows.length, ...total, gifterCoins: Number(gifters?.coins ?? 0), people: people.length };
}

const HUNDRED = {
  rows: 100,
  events: 100n,
  gifts: 50n,
  coins: 500n,
  chats: 50n,
  gifterCoins: 500,
  people: 10,
};

/** A bus whose consumers' acknowledgement is lost this often, after the handler's work was done: a crash before the ack. */
function losingAcks(bus: EventBus, times: number): EventBus {
  let left = times;
  return new Proxy(bus, {
    get(target, property) {
      if (property !== 'consume') {
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (options: ConsumeOptions) =>
        target.consume({
          ...options,
          handler: async (batch) => {
            const result = await options.handler(batch);
            if (left > 0) {
              left -= 1;
              throw new Error('crashed between commit and acknowledgement');
            }
            return result;
          },
        });
    },
  });
}

const buses = [
  { kind: 'in process', open: async () => ownBus() },
  ...(testRedisUrl() === null
    ? []
    : [{ kind: 'on Redis', open: () => openRedisTestBus(testRedisUrl() ?? '') }]),
];

function ownBus() {
  const bus = createInProcessBus({ clock: systemClock, retryBaseMs: 5, retryMaxMs: 20 });
  return { bus, [Symbol.asyncDispose]: () => bus.close() };
}

describe.each(buses)('exactly once, $kind', ({ open }) => {
  it('a crash between commit and acknowledgement stores and counts nothing twice', async () => {
    await using opened = await open();
    const worker = await startWorker(losingAcks(opened.bus, 3));
    await append(opened.bus, someEvents());
    await drained(worker);
    await worker.stop();
    expect(await outcome()).toEqual(HUNDRED);
  });

  it('two workers of one group store a batch once between them', async () => {
    await using opened = await open();
    const workers = await Promise.all([
      startWorker(opened.bus, { id: 'one' }),
      startWorker(opened.bus, { id: 'two' }),
    ]);
    const scenes = Array.from({ length: 6 }, () => sampleScene());
    for (const each of scenes) {
      make = sampleEvents(each);
      await append(opened.bus, someEvents());
    }
    for (const worker of workers) await drained(worker);
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const each of scenes) expect(await outcome(each)).toEqual(HUNDRED);
  });
});

describe('two workers at the same events, as when a shard changes hands', () => {
  it('store each event, person, key and coin once', async () => {
    const events = someEvents();
    const [one, other] = [ownBus().bus, ownBus().bus];
    const workers = await Promise.all([
      startWorker(one, { batchEventsMax: 7 }),
      startWorker(other, { batchEventsMax: 11 }),
    ]);
    await Promise.all([append(one, events), append(other, events)]);
    for (const worker of workers) await drained(worker);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(await outcome()).toEqual(HUNDRED);
    // Keys of people that the other worker was faster to store are gone again.
    const orphans = await database.db
      .selectFrom('subject_key')
      .leftJoin('audience_member', 'audience_member.id', 'subject_key.subject_id')
      .select('subject_key.subject_id')
      .where('audience_member.id', 'is', null)
      .execute();
    expect(orphans).toEqual([]);
  });
});

describe('poison', () => {
  const poisons: readonly [string, (event: UnifiedEvent) => UnifiedEvent, RegExp][] = [
    [
      'a text with a zero byte',
      (event) => changed(event, { payload: giftPayload({ giftName: 'nul \u0000' }) }),
      /^the database refuses it \(SQLSTATE 22021\)$/,
    ],
    [
      'half a surrogate',
      (event) => changed(event, { payload: giftPayload({ giftName: 'half \ud800' }) }),
      /^the database refuses it \(SQLSTATE 22P02\)$/,
    ],
    ['a time of the far future', (event) => changed(event, { timestamp: 8e15 }), /^event time out of range$/],
    ['a time before all streams', (event) => changed(event, { timestamp: 0 }), /^event time out of range$/],
    [
      'coins beyond all reason',
      (event) => changed(event, { payload: giftPayload({ coins: Number.MAX_SAFE_INTEGER }) }),
      /^malformed gift counts$/,
    ],
    [
      'a negative count',
      (event) => changed(event, { payload: giftPayload({ giftCount: -1 }) }),
      /^malformed gift counts$/,
    ],
    ['an id that is none', (event) => changed(event, { eventId: 'Alice' }), /^malformed event id$/],
    ['a type nobody knows', (event) => changed(event, { eventType: 'SECRET' }), /^unknown event type$/],
  ];

  it.each(poisons)(
    '[T-D6] %s goes to the dead letters alone; the rest of its batch is stored',
    async (_, poison, reason) => {
      const { bus } = ownBus();
      const events = someEvents();
      const at = 36;
      const victim = events[at];
      if (victim === undefined) throw new Error('no event to poison');
      events[at] = poison(victim);
      const worker = await startWorker(bus, { batchEventsMax: 500 });
      await append(bus, events);
      await drained(worker);
      await worker.stop();
      expect(await outcome()).toEqual({
        ...HUNDRED,
        rows: 99,
        events: 99n,
        gifts: 49n,
        coins: 490n,
        gifterCoins: 490,
      });
      const letters = await bus.deadLetters({ limit: 10 });
      expect(letters.map((letter) => letter.reason)).toEqual([expect.stringMatching(reason)]);
    },
  );

  it('[T-D6] many at once are all found, and only they', async () => {
    const { bus } = ownBus();
    const events = someEvents().map((event, index) =>
      index % 10 === 0 ? changed(event, { payload: giftPayload({ giftName: '\u0000' }) }) : event,
    );
    const worker = await startWorker(bus, { batchEventsMax: 500 });
    await append(bus, events);
    await drained(worker);
    await worker.stop();
    expect(await outcome()).toMatchObject({ rows: 90, events: 90n, gifts: 40n, coins: 400n });
    expect(await bus.deadLetters({ limit: 100 })).toHaveLength(10);
  });

  it('[T-I1] reasons and logs name nobody and repeat nothing', async () => {
    const { bus } = ownBus();
    const user = sampleUser(4711);
    const event = make('GIFT', giftPayload({ giftName: 'canary-name\u0000' }), { user });
    const worker = await startWorker(bus);
    await append(bus, [event]);
    await drained(worker);
    await worker.stop();
    const reasons = (await bus.deadLetters({ limit: 10 })).map((letter) => letter.reason).join();
    expect(reasons).toBe('the database refuses it (SQLSTATE 22021)');
  });
});

/** The event with fields that its type forbids: what a broken producer would send. */
function changed(event: UnifiedEvent, changes: object): UnifiedEvent {
  return { ...event, ...changes } as UnifiedEvent; // wrong on purpose
}

describe('while PostgreSQL is away', () => {
  it('the worker waits, gives nothing up, and stores everything once it is back', async () => {
    await using server = await startPrivatePostgres();
    await migrate({ connectionString: server.url, directory: MIGRATIONS, logger });
    const db = createDatabase({
      connectionString: server.url,
      poolMax: 3,
      statementTimeoutMs: 10_000,
      applicationName: 'test',
    });
    const { bus } = ownBus();
    const worker = await startWorker(bus, { db, batchEventsMax: 20 });
    const events = someEvents(400);
    await append(bus, events.slice(0, 200));
    await waitFor(async () => (await outcome(scene, db)).rows > 40);
    await server.crash();
    await append(bus, events.slice(200));
    await waitFor(async () => (await worker.lag()).pendingEvents >= 200, { message: 'events to pile up' });
    await server.restart();
    const returnedAt = performance.now();
    await drained(worker);
    expect(performance.now() - returnedAt).toBeLessThan(5_000);
    await worker.stop();
    expect(await outcome(scene, db)).toEqual({
      rows: 400,
      events: 400n,
      gifts: 200n,
      coins: 2000n,
      chats: 200n,
      gifterCoins: 2000,
      people: 10,
    });
    expect(await bus.deadLetters({ limit: 10 })).toEqual([]);
    await db.destroy();
  });

  it('the worker can be stopped, and leaves its events on the bus', async () => {
    const db = createDatabase({
      connectionString: 'postgres://nobody@127.0.0.1:1/none',
      poolMax: 1,
      statementTimeoutMs: 0,
      applicationName: 'test',
    });
    const { bus } = ownBus();
    const worker = await startWorker(bus, { db });
    await append(bus, someEvents(10));
    await waitFor(async () => (await worker.lag()).pendingEvents === 10);
    const stoppedAt = performance.now();
    await worker.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(2_000);
    await db.destroy();
    const successor = await startWorker(bus, { id: 'two' });
    await drained(successor);
    await successor.stop();
    expect((await outcome()).rows).toBe(10);
  });
});
