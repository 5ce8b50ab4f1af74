import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { EventBus } from '../../../src/bus/port.ts';
import { createRedisBus } from '../../../src/bus/redis-bus.ts';
import { selectSessions } from '../../../src/db/session.ts';
import { runReplay } from '../../../src/events/replay/run.ts';
import { startStorageWorker } from '../../../src/events/storage/worker.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { newId, uuidFromId } from '../../../src/lib/ids.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { newPrefix, redisBusOptions, removeKeys } from '../../bus/redis-support.ts';
import { createTestDatabase } from '../../support/database.ts';
import { testRedisUrl } from '../../support/servers.ts';
import { waitFor } from '../../support/wait.ts';
import { chatAt, record, recordChannel, recordStream, testVault, viewer } from '../support/recorded.ts';

const logger = createLogger('silent');
const url = testRedisUrl() ?? '';

describe.skipIf(url === '')('a replay over Redis', () => {
  it('goes on in another worker where a dead one was: each event comes and is stored once, in order', async () => {
    await using database = await createTestDatabase();
    const { db } = database;
    const vault = testVault(db);
    const keyPrefix = newPrefix();
    const connect = () => createRedisBus(redisBusOptions({ url, keyPrefix }));
    // Three processes, each with a connection of its own: the worker that dies, the one that goes on, and storage.
    const [dying, living, storing] = await Promise.all([connect(), connect(), connect()]);
    const depsOn = (bus: EventBus) => ({
      db,
      bus,
      vault,
      clock: systemClock,
      logger,
      pause: async (ms: number, signal: AbortSignal) => {
        await sleep(ms, undefined, { signal }).catch(() => undefined);
      },
    });
    const recording = await recordStream(db, { channelId: await recordChannel(db) });
    const words = Array.from({ length: 450 }, (_, index) => `m${index}`);
    await record(
      { db, vault },
      words.map((message, index) =>
        chatAt(recording, { atMs: index, sequence: index + 1, message, user: viewer(index % 5) }),
      ),
    );
    const sessionId = newId('session', systemClock.nowMs());
    await db
      .insertInto('session')
      .values({
        id: uuidFromId(sessionId),
        stream_id: uuidFromId(recording.streamId),
        channel_id: uuidFromId(recording.channelId),
        source: 'REPLAY',
        state: 'LIVE',
        started_at: new Date(),
        replay_of: uuidFromId(recording.sessionId),
      })
      .execute();
    const seen: string[] = [];
    await living.subscribe(recording.channelId, {
      listener: ({ event }) => seen.push(event.eventType === 'CHAT' ? event.payload.message : ''),
    });
    const storage = await startStorageWorker(
      { db, bus: storing, vault, clock: systemClock, logger, registry: new Registry() },
      { consumerId: 'storage' },
    );

    // It dies after its second append, before it can write down how far it came.
    const death = new AbortController();
    let appends = 0;
    const append: EventBus['append'] = async (request) => {
      const outcomes = await dying.append(request);
      appends += 1;
      if (appends === 2) death.abort(new Error('the worker died'));
      return outcomes;
    };
    const mortal = new Proxy(dying, {
      get: (bus, name) => {
        const real: unknown = Reflect.get(bus, name);
        if (name === 'append') return append;
        return typeof real === 'function' ? real.bind(bus) : real;
      },
    });
    await expect(runReplay(depsOn(mortal), { sessionId, signal: death.signal })).rejects.toThrow(
      'the worker died',
    );
    await dying.close();
    await waitFor(() => seen.length === 400);
    await db.updateTable('session').set({ replay_done: 0 }).where('id', '=', uuidFromId(sessionId)).execute();

    await runReplay(depsOn(living), { sessionId, signal: new AbortController().signal });
    await waitFor(() => seen.length >= 450);
    expect(seen).toEqual(words);
    expect((await selectSessions(db, [sessionId]))[0]).toMatchObject({
      state: 'ENDED',
      replay: { eventsTotal: 450, eventsDone: 450 },
    });
    const stored = () =>
      db
        .selectFrom('event')
        .select((eb) => [eb.fn.countAll<bigint>().as('count'), eb.fn.max('sequence').as('last')])
        .where('session_id', '=', uuidFromId(sessionId))
        .executeTakeFirstOrThrow();
    await waitFor(async () => (await stored()).count >= 450n);
    const last = (await stored()).last;
    await waitFor(async () => (await storage.lag()).pendingEvents === 0);
    expect(await stored()).toEqual({ count: 450n, last });

    await storage.stop();
    await living.close();
    await storing.close();
    await removeKeys(url, keyPrefix);
  });
});
