import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/bus/port.ts';
import { createSignBudget } from '../../src/ingest/sign-budget.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { uuidFromId } from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { seal } from '../../src/privacy/envelope.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait.ts';
import { collected, ingestFixture, inProcessBus, testVault, wantedChannel } from './support/ingest.ts';
import { chat, chatNumbers, upTo } from './support/messages.ts';
import { storedRows, storedState } from './support/rows.ts';
import { simulatorFixture, sourceOf } from './support/source.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

const typesOf = (events: readonly Delivery[]) => events.map(({ event }) => event.eventType);

/** A simulator with one live handle of its own, a channel for it, a bus, and what the bus publishes. */
async function stage(handle: string, options: Parameters<typeof simulatorFixture>[0] = {}) {
  const simulator = await simulatorFixture({ handles: [handle], ...options });
  const bus = inProcessBus();
  const channelId = await wantedChannel(database.db, handle);
  const events = await collected(bus, channelId);
  return {
    db: database.db,
    simulator,
    bus,
    channelId,
    events,
    room: simulator.room(handle),
    async [Symbol.asyncDispose]() {
      await database.db.updateTable('channel').set({ wanted: false }).execute();
      await bus.close();
      await simulator.stop();
    },
  };
}

describe('the whole path', () => {
  it('carries 10,000 numbered mixed messages to the bus in order, none lost, none twice', async () => {
    await using set = await stage('whole');
    const { room, events } = set;
    await using service = await ingestFixture(set);
    await waitFor(() => room.viewers === 1);
    for (let start = 0; start < 10_000; start += 20) {
      const messages = upTo(20).map((index) => {
        const number = start + index;
        if (number % 4 === 0)
          return room.message('WebcastQuestionNewMessage', {
            data: { questionId: `${number + 1}`, content: `${number}`, user: { id: '700000000000000001' } },
          });
        return room.message('WebcastChatMessage', { content: `${number}` });
      });
      await room.sendFrame(messages, { gzip: start % 60 === 0 });
    }
    await waitFor(() => events.length >= 10_001, { timeoutMs: 20_000 });
    await service.stop();
    const numbers = events.slice(1, -1).map(({ event }) => {
      if (event.eventType === 'CHAT' || event.eventType === 'QUESTION') return Number(event.payload.message);
      return event.eventType;
    });
    expect(numbers).toEqual(upTo(10_000));
    expect(events.map(({ event }) => event.sequence)).toEqual(upTo(10_002).map((index) => index + 1));
    expect([events[0], events.at(-1)].map((delivery) => delivery?.event.eventType)).toEqual([
      'CONNECTED',
      'DISCONNECTED',
    ]);
  });

  it('stops within 3 s, says so in the stream, and leaves the gap open', async () => {
    await using set = await stage('stopping');
    const { db, room, events, channelId } = set;
    const service = await ingestFixture(set);
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 10);
    await waitFor(() => events.length === 11);
    const before = performance.now();
    await service.stop();
    expect(performance.now() - before).toBeLessThan(3_000);
    await service.stop();
    expect(events.at(-1)?.event).toMatchObject({
      eventType: 'DISCONNECTED',
      payload: { willReconnect: false, reason: 'Stopped here.' },
    });
    const { connection, sessions, gaps } = await storedRows(db, channelId);
    expect(connection).toMatchObject({ state: 'STOPPED', reason: null, retry_at: null });
    expect(sessions).toMatchObject([{ state: 'ENDED', source: 'LIVE' }]);
    expect(gaps).toMatchObject([{ reason: 'DISCONNECTED', to_at: null }]);
    await waitFor(() => room.viewers === 0);
  });

  it('stops within 3 s while a server never upgrades', async () => {
    await using set = await stage('never_upgrades', { faults: [{ name: 'no-upgrade' }] });
    const service = await ingestFixture(set);
    await waitFor(() => set.simulator.faults.fired('no-upgrade') === 1);
    const before = performance.now();
    await service.stop();
    expect(performance.now() - before).toBeLessThan(3_000);
    expect(await storedState(set.db, set.channelId)).toBe('STOPPED');
  });
});

describe('losing the connection', () => {
  it('reconnects, takes repeated history for what it is, and records the gap', async () => {
    await using set = await stage('cutoff');
    const { db, room, events, channelId, simulator } = set;
    await using service = await ingestFixture(set);
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 30);
    await waitFor(() => events.length === 31);
    simulator.faults.set({ name: 'history', value: 20 });
    const cutAt = Date.now();
    room.terminate();
    await waitFor(() => room.viewers === 0);
    await chat(room, 30, 5); // nobody there: only the repeated history brings them
    await waitFor(() => room.viewers === 1);
    await chat(room, 35, 5);
    await waitFor(() => chatNumbers(events).length >= 40);
    await waitFor(async () => (await storedRows(db, channelId)).gaps[0]?.to_at);
    await service.stop();
    expect(chatNumbers(events)).toEqual(upTo(40));
    const repeated = events.flatMap(({ event }) =>
      event.history && event.eventType === 'CHAT' ? [event] : [],
    );
    expect(repeated.map(({ payload }) => Number(payload.message))).toEqual([30, 31, 32, 33, 34]);
    expect(new Set(events.map(({ event }) => event.eventId)).size).toBe(events.length);
    const { streams, sessions, gaps } = await storedRows(db, channelId);
    expect(streams).toMatchObject([{ external_id: room.roomId, simulated: true, title: room.title }]);
    expect(sessions.map(({ state }) => state)).toEqual(['FAILED', 'ENDED']);
    expect(gaps[0]).toMatchObject({ reason: 'DISCONNECTED' });
    expect(gaps[0]?.from_at.getTime()).toBeLessThanOrEqual(cutAt + 50);
    expect(gaps[0]?.to_at?.getTime()).toBeGreaterThanOrEqual(cutAt);
    expect(gaps[1]).toMatchObject({ to_at: null }); // the stop's
  });

  it('notices silence, says STALLED with a gap, and opens the connection anew', async () => {
    await using set = await stage('silent');
    const { db, room, events, channelId } = set;
    await using _service = await ingestFixture(set, { silenceMs: 300, silenceReconnectMs: 1_200 });
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 1);
    await waitFor(async () => (await storedState(db, channelId)) === 'STALLED');
    expect((await storedRows(db, channelId)).sessions).toMatchObject([{ state: 'STALLED' }]);
    await waitFor(() => room.counters.entered === 2);
    await waitFor(() => typesOf(events).includes('DISCONNECTED'));
    await chat(room, 1, 1);
    await waitFor(async () => (await storedRows(db, channelId)).gaps[0]?.to_at);
    expect((await storedRows(db, channelId)).gaps).toMatchObject([{ reason: 'SILENCE' }]);
    expect(typesOf(events)).toEqual(['CONNECTED', 'CHAT', 'DISCONNECTED', 'CONNECTED', 'CHAT']);
  });

  it('tells of an attempt that failed once, however often it fails in the same way', async () => {
    await using set = await stage('failing_sign');
    const { room, events, simulator } = set;
    await using _service = await ingestFixture(set);
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 1);
    simulator.faults.set({ name: '500', next: 4 });
    room.terminate();
    await waitFor(() => room.counters.entered === 2);
    await chat(room, 1, 1);
    await waitFor(() => chatNumbers(events).length === 2);
    expect(typesOf(events)).toEqual(['CONNECTED', 'CHAT', 'DISCONNECTED', 'ERROR', 'CONNECTED', 'CHAT']);
    expect(events[2]?.event.payload).toMatchObject({ code: 1006, willReconnect: true });
    expect(events[3]?.event.payload).toEqual({
      code: 'SIGN_SERVER',
      message: 'The sign server answered 500.',
      stack: null,
    });
  });

  it('waits as long as the sign server says after a 429, also after a restart', async () => {
    await using set = await stage('limited', { faults: [{ name: '429', value: 2, next: 1 }] });
    const { db, room, channelId, simulator } = set;
    const sourceFor = () =>
      sourceOf(simulator, {
        signBudget: createSignBudget({ db, clock: systemClock }, { signKey: 'limited' }),
      });
    const before = Date.now();
    const first = await ingestFixture({ ...set, sourceFor });
    await waitFor(async () => (await storedState(db, channelId)) === 'RECONNECTING');
    const { connection } = await storedRows(db, channelId);
    expect(connection?.reason).toBe('The sign server answers 429: its limit for this key is used up.');
    expect(connection?.retry_at?.getTime()).toBeGreaterThanOrEqual(before + 2_000);
    await first.stop();
    await using _second = await ingestFixture({ ...set, sourceFor });
    await waitFor(() => room.viewers === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(before + 2_000);
    expect(simulator.faults.fired('429')).toBe(1);
  });
});

describe('the end of a stream', () => {
  it.each([
    [3, 'ENDED'],
    [4, 'SUSPENDED'],
  ] as const)(
    'after control message %i is %s: the last events are told, then the end',
    async (action, state) => {
      await using set = await stage(`over_${action}`);
      const { db, room, events, channelId } = set;
      await using _service = await ingestFixture(set, { offlinePollMs: 60_000 });
      await waitFor(() => room.viewers === 1);
      await chat(room, 0, 3);
      await room.control(action);
      await waitFor(async () => (await storedState(db, channelId)) === state);
      expect(typesOf(events)).toEqual(['CONNECTED', 'CHAT', 'CHAT', 'CHAT', 'STREAM_END', 'DISCONNECTED']);
      expect(events.at(-2)?.event.payload).toEqual({ reason: state });
      expect(events.at(-1)?.event.payload).toMatchObject({ code: 1000, willReconnect: false });
      await waitFor(async () => (await storedRows(db, channelId)).streams[0]?.ended_at);
      const { streams, sessions, gaps } = await storedRows(db, channelId);
      expect(streams).toMatchObject([{ end_reason: state }]);
      expect(sessions).toMatchObject([{ state: 'ENDED' }]);
      expect(gaps).toEqual([]);
    },
  );

  it.each([
    ['offline', 'OFFLINE', 'The streamer is not live.'],
    ['nobody_here', 'OFFLINE', 'TikTok knows nobody by this handle.'],
    ['restricted', 'BLOCKED', 'The stream asks for an account of a grown-up.'],
    ['blocked', 'BLOCKED', 'TikTok answered 403 and 403 without a room.'],
  ])('a channel of %s is %s, and says why', async (handle, state, reason) => {
    await using simulator = await simulatorFixture();
    const { db } = database;
    const bus = inProcessBus();
    const channelId = await wantedChannel(db, handle);
    await using _service = await ingestFixture({ db, bus, simulator }, { offlinePollMs: 60_000 });
    await waitFor(async () => (await storedState(db, channelId)) === state);
    expect((await storedRows(db, channelId)).connection).toMatchObject({ reason });
    await db.updateTable('channel').set({ wanted: false }).execute();
  });
});

describe('wishes', () => {
  it('ends a session when the channel is not wanted any more, and begins one when it is again', async () => {
    await using set = await stage('wishes');
    const { db, bus, room, events, channelId } = set;
    await using _service = await ingestFixture(set, { pollMs: 60_000 });
    await waitFor(() => room.viewers === 1);
    const wish = async (wanted: boolean) => {
      await db.updateTable('channel').set({ wanted }).where('id', '=', uuidFromId(channelId)).execute();
      await bus.notify('channels', channelId);
    };
    await waitFor(() => typesOf(events).includes('CONNECTED'));
    await wish(false);
    await waitFor(() => room.viewers === 0);
    await waitFor(async () => (await storedState(db, channelId)) === 'STOPPED');
    await wish(true);
    await waitFor(() => room.viewers === 1);
    await chat(room, 0, 1);
    await waitFor(() => chatNumbers(events).length === 1);
    expect(typesOf(events)).toEqual(['CONNECTED', 'DISCONNECTED', 'CONNECTED', 'CHAT']);
    await waitFor(async () => (await storedState(db, channelId)) === 'LIVE');
  });

  it("opens the channel's own sign key for its source", async () => {
    await using set = await stage('keyed');
    const { db, channelId, simulator } = set;
    const vault = testVault(db);
    const key = (await vault.dataKeys([channelId], { create: true })).get(channelId);
    if (key === undefined) throw new Error('the key was just made');
    const sealed = seal(key, sealContext.signKey(channelId), 'key-of-the-channel');
    await db
      .updateTable('channel')
      .set({ sign_key: sealed })
      .where('id', '=', uuidFromId(channelId))
      .execute();
    const asked: (string | null)[] = [];
    const sourceFor = ({ signKey }: { signKey: string | null }) => {
      asked.push(signKey);
      return sourceOf(simulator, { signKey });
    };
    await using _service = await ingestFixture({ ...set, vault, sourceFor });
    await waitFor(() => set.room.viewers === 1);
    expect(asked).toEqual(['key-of-the-channel']);
  });

  it('tells every change of the connection on the bus', async () => {
    await using set = await stage('telling');
    const told: { kind: string; streamId: string | null }[] = [];
    await set.bus.listen(`stream:${set.channelId}`, (payload) => told.push(JSON.parse(payload)));
    await using _service = await ingestFixture(set);
    await waitFor(async () => (await storedState(set.db, set.channelId)) === 'LIVE');
    await waitFor(() => new Set(told.map(({ kind }) => kind)).size === 3);
    const { streams } = await storedRows(set.db, set.channelId);
    const streamId = `str_${streams[0]?.id.replaceAll('-', '')}`;
    expect(told).toContainEqual({ kind: 'STATE', streamId: null });
    expect(told).toContainEqual({ kind: 'STREAM', streamId });
    expect(told).toContainEqual({ kind: 'SESSION', streamId });
  });
});

describe('what does not decode', () => {
  it('goes to the dead letters with its bytes, and the rest goes on', async () => {
    await using set = await stage('poisoned');
    const { bus, room, events, channelId } = set;
    const registry = new Registry();
    await using _service = await ingestFixture({ ...set, registry });
    await waitFor(() => room.viewers === 1);
    const poison = Buffer.from([0x0a, 0x7f, 1, 2, 3]);
    await room.sendBytes('WebcastChatMessage', poison);
    await chat(room, 0, 1);
    await waitFor(() => chatNumbers(events).length === 1);
    await waitFor(async () => (await bus.deadLetters({ group: 'ingest', limit: 10 })).length > 0);
    const letters = await bus.deadLetters({ group: 'ingest', limit: 10 });
    expect(letters).toMatchObject([{ channelId, attempts: 1, message: poison.toString('base64') }]);
    expect(letters[0]?.reason).toMatch(/^WebcastChatMessage did not decode: RangeError/);
    const text = await registry.metrics();
    expect(text).toContain('tallylight_ingest_messages_total{kind="undecodable"} 1');
    expect(text).toContain('tallylight_ingest_dead_letters_total{outcome="kept"} 1');
    expect(text).toContain('tallylight_ingest_events_total{type="CHAT",outcome="appended"} 1');
    expect(text).toContain('tallylight_ingest_rooms{state="LIVE"} 1');
    expect(text).not.toContain(channelId);
    expect(text).not.toContain('poisoned');
  });
});
