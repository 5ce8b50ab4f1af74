import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/bus/port.ts';
import { upsertGap } from '../../src/db/ingest-session.ts';
import { startStorageWorker } from '../../src/events/storage/worker.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, idFromUuid, newId, uuidFromId } from '../../src/lib/ids.ts';
import type { Vault } from '../../src/privacy/vault.ts';
import { chat as busChat } from '../bus/support.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait.ts';
import { collected, ingestFixture, inProcessBus, testVault, wantedChannel } from './support/ingest.ts';
import { giftCountOf, giftsOf, rose } from './support/messages.ts';
import { storedRows, storedState } from './support/rows.ts';
import { quietLogger, simulatorFixture } from './support/source.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

/** When the worker that died had its last event. */
const LAST_EVENT_AT = Date.now() - 60_000;

/** What a worker that was killed leaves of a room: a stream that goes on, a session on it, and how far it came. */
async function leftBehind(
  channelId: ChannelId,
  left: { readonly externalId: string; readonly lastEventAt: number | null },
) {
  const { db } = database;
  const startedAt = new Date(LAST_EVENT_AT - 60_000);
  const [streamId, sessionId] = [newId('stream', LAST_EVENT_AT), newId('session', LAST_EVENT_AT)];
  const stream = { id: uuidFromId(streamId), channel_id: uuidFromId(channelId) };
  await db
    .insertInto('stream')
    .values({ ...stream, provider: 'TIKTOK', external_id: left.externalId, started_at: startedAt })
    .execute();
  await db
    .insertInto('session')
    .values({
      id: uuidFromId(sessionId),
      channel_id: stream.channel_id,
      stream_id: stream.id,
      source: 'LIVE',
      state: 'LIVE',
      started_at: startedAt,
    })
    .execute();
  if (left.lastEventAt !== null) {
    await db
      .insertInto('stream_total')
      .values({
        stream_id: stream.id,
        channel_id: stream.channel_id,
        last_event_at: new Date(left.lastEventAt),
      })
      .execute();
  }
  return { streamId, startedAt, lastEventAt: new Date(left.lastEventAt ?? startedAt) };
}

describe('what a killed worker left', () => {
  it.each([
    ['is in another room now', 'moved_on', 'LIVE'],
    ['is offline', 'offline', 'OFFLINE'],
  ] as const)(
    'when the streamer %s: session and stream end, and what may be missing is a gap',
    async (_, handle, state) => {
      const { db } = database;
      await using simulator = await simulatorFixture({ handles: ['moved_on'] });
      const channelId = await wantedChannel(db, handle);
      const { lastEventAt } = await leftBehind(channelId, {
        externalId: '7000000000000000009',
        lastEventAt: LAST_EVENT_AT,
      });
      const bus = inProcessBus();
      const takenAt = Date.now();
      await using _service = await ingestFixture({ db, bus, simulator }, { offlinePollMs: 60_000 });
      await waitFor(async () => (await storedState(db, channelId)) === state);
      await waitFor(async () => (await storedRows(db, channelId)).streams[0]?.ended_at);

      const { streams, sessions, gaps } = await storedRows(db, channelId);
      expect(streams[0]).toMatchObject({ end_reason: 'OFFLINE', ended_at: lastEventAt });
      expect(sessions[0]).toMatchObject({
        state: 'FAILED',
        state_reason: 'The worker was lost.',
        ended_at: lastEventAt,
      });
      expect(gaps).toMatchObject([{ stream_id: streams[0]?.id, reason: 'RESTART', from_at: lastEventAt }]);
      expect(gaps[0]?.to_at?.getTime()).toBeGreaterThanOrEqual(takenAt);
      // The room of now is another stream, without a gap.
      const open = streams.filter(({ ended_at }) => ended_at === null);
      expect(open.map(({ external_id }) => external_id)).toEqual(
        state === 'LIVE' ? [simulator.room().roomId] : [],
      );
      await db.updateTable('channel').set({ wanted: false }).execute();
      await bus.close();
    },
  );

  it('is known at once, also while nobody can say whether the streamer is live', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture();
    const channelId = await wantedChannel(db, 'blocked');
    const { startedAt } = await leftBehind(channelId, {
      externalId: '7000000000000000009',
      lastEventAt: null,
    });
    const bus = inProcessBus();
    await using _service = await ingestFixture({ db, bus, simulator });
    await waitFor(async () => (await storedState(db, channelId)) === 'BLOCKED');
    const { streams, sessions, gaps } = await storedRows(db, channelId);
    expect(streams).toMatchObject([{ ended_at: null }]);
    expect(sessions).toMatchObject([{ state: 'FAILED', ended_at: startedAt }]);
    expect(gaps).toMatchObject([{ reason: 'RESTART', from_at: startedAt, to_at: null }]);
    await db.updateTable('channel').set({ wanted: false }).execute();
    await bus.close();
  });

  it('is missing from the last stored event on, when the bus was lost in the middle of a clean stop', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture();
    const channelId = await wantedChannel(db, 'restricted');
    const { streamId, lastEventAt } = await leftBehind(channelId, {
      externalId: '7000000000000000011',
      lastEventAt: LAST_EVENT_AT,
    });
    const gap = { id: newId('gap', LAST_EVENT_AT), streamId, channelId, to: null } as const;
    await upsertGap(db, { ...gap, from: LAST_EVENT_AT + 10_000, reason: 'DISCONNECTED' });
    const bus = inProcessBus();
    await using _service = await ingestFixture({ db, bus, simulator });
    await waitFor(async () => (await storedState(db, channelId)) === 'BLOCKED');
    const { gaps } = await storedRows(db, channelId);
    expect(gaps).toMatchObject([{ reason: 'DISCONNECTED', from_at: lastEventAt, to_at: null }]);
    await db.updateTable('channel').set({ wanted: false }).execute();
    await bus.close();
  });

  it('is put in order also when nobody wants the channel any more, unless its worker lives', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture();
    const bus = inProcessBus();
    const [dead, alive] = [await wantedChannel(db, 'dead_worker'), await wantedChannel(db, 'live_worker')];
    const { lastEventAt } = await leftBehind(dead, { externalId: '1', lastEventAt: LAST_EVENT_AT });
    await leftBehind(alive, { externalId: '2', lastEventAt: LAST_EVENT_AT });
    await db.updateTable('channel').set({ wanted: false }).execute();
    const lease = await bus.acquireLease({ name: `room:${alive}`, ownerId: 'its worker', ttlMs: 60_000 });
    await using _service = await ingestFixture({ db, bus, simulator });
    const tidied = await storedRows(db, dead);
    expect(tidied.connection).toMatchObject({ state: 'STOPPED' });
    expect(tidied.sessions).toMatchObject([{ state: 'FAILED', ended_at: lastEventAt }]);
    // As after a clean stop: what comes after is missing, until somebody wants it again.
    expect(tidied.gaps).toMatchObject([{ reason: 'RESTART', from_at: lastEventAt, to_at: null }]);
    const untouched = await storedRows(db, alive);
    expect(untouched.sessions).toMatchObject([{ state: 'LIVE', ended_at: null }]);
    expect(untouched.gaps).toEqual([]);
    await lease?.release();
    await bus.close();
  });

  it('counts from what the bus saw last, which may not be stored yet', async () => {
    const { db } = database;
    await using simulator = await simulatorFixture();
    const channelId = await wantedChannel(db, 'restricted');
    const { streamId } = await leftBehind(channelId, {
      externalId: '7000000000000000010',
      lastEventAt: LAST_EVENT_AT,
    });
    const seenAt = LAST_EVENT_AT + 30_000;
    // A bus that outlived the worker, as Redis does.
    const bus = inProcessBus();
    await bus.append({
      channelId,
      lease: null,
      sequenceFloor: 0,
      events: [busChat(channelId, 1)],
      stateChanges: { set: { last: `${streamId} ${seenAt}` } },
    });
    await using _service = await ingestFixture({ db, bus, simulator });
    const isOurs = (row: { stream_id: string }) => idFromUuid('stream', row.stream_id) === streamId;
    const gap = await waitFor(async () => (await storedRows(db, channelId)).gaps.find(isOurs));
    const { sessions } = await storedRows(db, channelId);
    expect(gap).toMatchObject({
      reason: 'RESTART',
      from_at: new Date(seenAt),
      to_at: null,
    });
    expect(sessions.find(isOurs)).toMatchObject({
      state: 'FAILED',
      ended_at: new Date(seenAt),
    });
    await db.updateTable('channel').set({ wanted: false }).execute();
    await bus.close();
  });
});

describe('a streak over a restart', () => {
  /** The product with the bus that forgets: ingest, storage and bus in this process. */
  async function embedded(handle: string, vault: Vault) {
    const { db } = database;
    const simulator = await simulatorFixture({ handles: [handle] });
    const channelId = await wantedChannel(db, handle);
    return {
      simulator,
      room: simulator.room(),
      channelId,
      async run(work: (events: readonly Delivery[]) => Promise<void>) {
        const bus = inProcessBus();
        const events = await collected(bus, channelId);
        const storage = await startStorageWorker(
          { db, bus, vault, clock: systemClock, logger: quietLogger, registry: new Registry() },
          { consumerId: 'test' },
        );
        const service = await ingestFixture({ db, bus, simulator, vault });
        await waitFor(() => simulator.room().viewers === 1);
        await work(events);
        await service.stop();
        await waitFor(async () => (await storage.lag()).pendingEvents === 0);
        await storage.stop();
        await bus.close();
      },
      /** Coins and gifts stored. */
      total: () =>
        db
          .selectFrom('stream_total')
          .select(['coins', 'gifts'])
          .where('channel_id', '=', uuidFromId(channelId))
          .executeTakeFirst(),
      async [Symbol.asyncDispose]() {
        await db.updateTable('channel').set({ wanted: false }).execute();
        await simulator.stop();
      },
    };
  }

  it.each([
    ['restarted', 'that was clean', async () => {}],
    [
      'unreadable',
      'whose giver cannot be read any more',
      async (channelId: ChannelId) => {
        await database.db
          .updateTable('audience_member')
          .set({ profile: Buffer.from('not what was sealed') })
          .where('channel_id', '=', uuidFromId(channelId))
          .execute();
      },
    ],
  ])(
    '(%s) %s: only the growth is booked, and what was missed is recorded',
    async (handle, _, between) => {
      await using set = await embedded(handle, testVault(database.db));
      const { room, channelId } = set;
      await set.run(async (events) => {
        await rose(room, 1);
        await rose(room, 5);
        await waitFor(() => giftsOf(events).length === 2);
      });
      await between(channelId);
      await set.run(async (events) => {
        await rose(room, 5);
        await rose(room, 8);
        await waitFor(() => giftsOf(events).some(({ payload }) => payload.streakCount === 8));
        expect(giftCountOf(events)).toBe(3);
        // The bus began anew; the sequence did not.
        expect(events[0]?.event.sequence).toBeGreaterThan(4);
        await waitFor(async () => (await storedRows(database.db, channelId)).gaps[0]?.to_at);
      });
      expect(await set.total()).toEqual({ coins: 8n, gifts: 8n });
      const { gaps, streams } = await storedRows(database.db, channelId);
      expect(streams.length).toBe(1);
      expect(gaps.map(({ to_at }) => to_at === null)).toEqual([false, true]);
    },
    60_000,
  );

  it('after kill -9, the bus lost with it: only the growth over what was stored is booked', async () => {
    const { db } = database;
    const masterKey = randomBytes(32).toString('base64');
    await using set = await embedded('killed', testVault(db, masterKey));
    const { simulator, room, channelId } = set;
    const child = spawn(
      process.execPath,
      ['tests/ingest/support/embedded-process.ts', database.url, simulator.webHost, masterKey],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await once(child.stdout, 'data');
      await waitFor(() => room.viewers === 1);
      await rose(room, 1);
      await rose(room, 5);
      await waitFor(async () => (await set.total())?.gifts === 5n);
    } finally {
      child.kill('SIGKILL');
    }
    await waitFor(() => room.viewers === 0);
    // One step that nobody saw: it is in the running total of the next.
    await rose(room, 6);
    await set.run(async (events) => {
      await rose(room, 8);
      await waitFor(() => giftsOf(events).length > 0);
      expect(giftCountOf(events)).toBe(3);
      await waitFor(async () => (await storedRows(db, channelId)).gaps[0]?.to_at);
    });
    expect(await set.total()).toEqual({ coins: 8n, gifts: 8n });
    const { gaps, sessions, streams } = await storedRows(db, channelId);
    expect(streams.length).toBe(1);
    expect(sessions.map(({ state }) => state)).toEqual(['FAILED', 'ENDED']);
    expect(gaps[0]).toMatchObject({ reason: 'RESTART', to_at: expect.any(Date) });
    expect(gaps[0]?.from_at).toEqual(sessions[0]?.ended_at);
  }, 60_000);
});
