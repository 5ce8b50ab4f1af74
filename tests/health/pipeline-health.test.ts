import { createServer, type Socket } from 'node:net';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { createDatabase } from '../../src/db/connect.ts';
import { eventId } from '../../src/events/event-id.ts';
import type { EventDraft } from '../../src/events/unified-event.ts';
import { inspectPipeline } from '../../src/health/pipeline-health.ts';
import { PIPELINE_LINKS, type PipelineLinkName } from '../../src/health/pipeline-link.ts';
import type { ConnectionState } from '../../src/ingest/supervisor/connection-state.ts';
import { type ChannelId, newId, uuidFromId } from '../../src/lib/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const clock = { nowMs: () => NOW };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

let channels = 0;

/** A wanted channel of its own, with the connection state it is given. */
async function channelIn(state: ConnectionState | null, wanted = true): Promise<ChannelId> {
  channels += 1;
  const id = newId('channel', NOW);
  await sql`insert into channel (id, provider, handle, wanted)
    values (${uuidFromId(id)}, 'TIKTOK', ${`streamer${channels}`}, ${wanted})`.execute(database.db);
  if (state !== null) {
    await sql`insert into channel_connection (channel_id, state, reason, since, retry_at, epoch, updated_at)
      values (${uuidFromId(id)}, ${state}, 'because of a test.', ${new Date(NOW - 5_000)},
        ${new Date(NOW + 30_000)}, 1, ${new Date(NOW)})`.execute(database.db);
  }
  return id;
}

/** A stream whose newest stored event has this age and sequence. */
async function stored(channelId: ChannelId, event: { readonly ageMs: number; readonly sequence: number }) {
  const streamId = newId('stream', NOW);
  await sql`insert into stream (id, channel_id, provider, external_id, simulated, started_at)
    values (${uuidFromId(streamId)}, ${uuidFromId(channelId)}, 'TIKTOK', '7000', true, ${new Date(NOW - 60_000)})`.execute(
    database.db,
  );
  await sql`insert into stream_total (stream_id, channel_id, last_event_at)
    values (${uuidFromId(streamId)}, ${uuidFromId(channelId)}, ${new Date(NOW - event.ageMs)})`.execute(
    database.db,
  );
  await sql`insert into channel_sequence (channel_id, last_sequence)
    values (${uuidFromId(channelId)}, ${event.sequence})`.execute(database.db);
}

function draft(channelId: ChannelId, number: number): EventDraft {
  const streamId = newId('stream', NOW);
  const sessionId = newId('session', NOW);
  return {
    schemaVersion: '1',
    eventId: eventId({
      provider: 'TIKTOK',
      streamId,
      sessionId,
      messageId: null,
      localSequence: number,
      rawType: 'Test',
      source: 'LIVE',
    }),
    eventType: 'CONNECTED',
    triggerId: 10,
    provider: 'TIKTOK',
    channelId,
    streamId,
    sessionId,
    timestamp: NOW,
    ingestedAt: NOW,
    source: 'LIVE',
    history: false,
    user: null,
    payload: { provider: 'TIKTOK' },
  };
}

async function look(channelId: ChannelId, bus = createInProcessBus({ clock }), db = database.db) {
  const links = await inspectPipeline({ db, bus, clock }, { channelId });
  expect(links.map(({ link }) => link)).toEqual([...PIPELINE_LINKS]);
  for (const { detail } of links) expect(detail).toMatch(/\.$/);
  // Every name was just seen in the list.
  return Object.fromEntries(links.map((link) => [link.link, link])) as Record<
    PipelineLinkName,
    (typeof links)[number]
  >;
}

describe('inspectPipeline', () => {
  it('finds every link in order when a live channel is stored, subscribed and on an overlay', async () => {
    const channelId = await channelIn('LIVE');
    await stored(channelId, { ageMs: 1_000, sequence: 7 });
    const bus = createInProcessBus({ clock });
    await bus.presence.beat({ channelId, kind: 'subscriber', connectionId: 'a', ttlMs: 60_000 });
    await bus.presence.beat({ channelId, kind: 'overlay', connectionId: 'a', ttlMs: 60_000 });
    const links = await look(channelId, bus);
    expect(Object.values(links).map(({ link, state, advice }) => [link, state, advice])).toEqual(
      PIPELINE_LINKS.map((link) => [link, 'OK', null]),
    );
    expect(links.PROVIDER.detail).toContain('simulator');
    expect(links.EVENTS.detail).toBe('the newest event is 1 s old.');
  });

  it('calls the database failing, and what hangs on it unknown, when nothing listens at its address', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const address = closed.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => closed.close(resolve));
    const db = createDatabase({
      connectionString: `postgres://nobody@127.0.0.1:${port}/nothing`,
      poolMax: 1,
      statementTimeoutMs: 1_000,
      applicationName: 'test',
    });
    const links = await look(newId('channel', NOW), undefined, db);
    await db.destroy();
    expect(links.DATABASE).toEqual({
      link: 'DATABASE',
      state: 'FAILING',
      detail: 'PostgreSQL does not answer: ECONNREFUSED.',
      advice: 'Start it, or correct DATABASE_URL.',
    });
    for (const link of ['PROVIDER', 'SIGN_SERVICE', 'ROOM', 'EVENTS', 'STORAGE'] as const) {
      expect(links[link].state).toBe('UNKNOWN');
    }
    expect(links.BUS.state).toBe('OK');
  });

  it('gives up on a database that takes the connection and says nothing', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const db = createDatabase({
      connectionString: `postgres://nobody@127.0.0.1:${port}/nothing`,
      poolMax: 1,
      statementTimeoutMs: 1_000,
      applicationName: 'test',
    });
    const links = await look(newId('channel', NOW), undefined, db);
    silent.close();
    for (const socket of sockets) socket.destroy();
    expect(links.DATABASE.detail).toBe('PostgreSQL does not answer: no answer within 3 s.');
    await db.destroy().catch(() => undefined);
  });

  it('calls the bus failing when it is closed', async () => {
    const channelId = await channelIn('LIVE');
    const bus = createInProcessBus({ clock });
    await bus.close();
    const links = await look(channelId, bus);
    expect(links.BUS.state).toBe('FAILING');
  });

  it('says that a channel does not exist', async () => {
    const links = await look(newId('channel', NOW));
    expect(links.ROOM).toMatchObject({ state: 'FAILING', detail: 'there is no such channel.' });
  });

  it.each([
    ['CONNECTING', 'WARNING', 'OK'],
    ['LIVE', 'OK', 'OK'],
    ['STALLED', 'WARNING', 'OK'],
    ['RECONNECTING', 'WARNING', 'WARNING'],
    ['OFFLINE', 'FAILING', 'OK'],
    ['ENDED', 'FAILING', 'OK'],
    ['SUSPENDED', 'FAILING', 'OK'],
    ['BLOCKED', 'FAILING', 'FAILING'],
    ['STOPPED', 'FAILING', 'UNKNOWN'],
  ] as const)('in state %s calls the room %s and the provider %s', async (state, room, provider) => {
    const links = await look(await channelIn(state));
    expect([links.ROOM.state, links.PROVIDER.state]).toEqual([room, provider]);
    if (room !== 'OK') expect(links.ROOM.advice).not.toBeNull();
  });

  it('tells why the room is not connected and when it looks again', async () => {
    const links = await look(await channelIn('OFFLINE'));
    expect(links.ROOM.detail).toMatch(
      /^@streamer\d+ is not live \(because of a test\); next look in 30 s\.$/,
    );
  });

  it('tells a channel that nobody wants from one that no worker has taken', async () => {
    const unwanted = await look(await channelIn('LIVE', false));
    expect(unwanted.ROOM.detail).toContain('nobody wants');
    const untaken = await look(await channelIn(null));
    expect(untaken.ROOM.detail).toContain('no ingest worker has taken it');
  });

  it('says until when the sign service refuses, which fails what is not yet connected', async () => {
    const live = await channelIn('LIVE');
    const connecting = await channelIn('CONNECTING');
    await sql`insert into sign_budget (key_hash, tokens, refilled_at, blocked_until)
      values (${Buffer.alloc(32, 1)}, 0, ${new Date(NOW)}, ${new Date(NOW + 90_000)})`.execute(database.db);
    try {
      expect((await look(live)).SIGN_SERVICE.state).toBe('WARNING');
      const { SIGN_SERVICE: sign } = await look(connecting);
      expect(sign.state).toBe('FAILING');
      expect(sign.detail).toContain('for another 90 s (2026-11-22T12:01:30.000Z)');
    } finally {
      await sql`delete from sign_budget`.execute(database.db);
    }
  });

  it('warns when a live room has been quiet for over a minute, and fails when nothing ever came', async () => {
    const quiet = await channelIn('LIVE');
    await stored(quiet, { ageMs: 61_000, sequence: 3 });
    expect((await look(quiet)).EVENTS).toMatchObject({
      state: 'WARNING',
      detail: 'the newest event is 61 s old.',
    });
    expect((await look(await channelIn('OFFLINE'))).EVENTS.state).toBe('FAILING');
    expect((await look(await channelIn('LIVE'))).EVENTS.state).toBe('WARNING');
  });

  it('calls the storage failing when events wait and none is stored', async () => {
    const channelId = await channelIn('LIVE');
    const bus = createInProcessBus({ clock });
    await bus.append({
      channelId,
      lease: null,
      sequenceFloor: 0,
      events: [draft(channelId, 1), draft(channelId, 2)],
    });
    const links = await look(channelId, bus);
    expect(links.STORAGE).toMatchObject({
      state: 'FAILING',
      detail: '2 events wait to be stored, and none was stored in 2 s.',
    });
    expect(links.EVENTS).toMatchObject({
      state: 'OK',
      detail: 'event 2 has arrived, newer than what is stored.',
    });
  });

  it('calls the storage fine when it is behind but moves', async () => {
    const channelId = await channelIn('LIVE');
    await stored(channelId, { ageMs: 0, sequence: 1 });
    const bus = createInProcessBus({ clock });
    const events = [draft(channelId, 1), draft(channelId, 2)];
    await bus.append({ channelId, lease: null, sequenceFloor: 1, events });
    const looking = look(channelId, bus);
    const moving = setInterval(() => {
      // Owned by the test: it ends with the interval, and a failure shows as a storage that does not move.
      void sql`update channel_sequence set last_sequence = least(3, last_sequence + 1)
        where channel_id = ${uuidFromId(channelId)}`
        .execute(database.db)
        .catch(() => undefined);
    }, 50);
    const links = await looking.finally(() => clearInterval(moving));
    expect(links.STORAGE.state).toBe('OK');
  });

  it('warns when nobody listens and when no overlay is open', async () => {
    const links = await look(await channelIn('LIVE'));
    expect([links.SUBSCRIBERS.state, links.OVERLAY.state]).toEqual(['WARNING', 'WARNING']);
  });
});
