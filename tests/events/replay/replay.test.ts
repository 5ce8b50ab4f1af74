import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../../src/bus/port.ts';
import { type SessionRow, selectSessions } from '../../../src/db/session.ts';
import { listEvents } from '../../../src/events/history.ts';
import {
  NoEventsError,
  ReplayNotRunningError,
  ReplaySpeedError,
  SessionNotFoundError,
  SessionStillLiveError,
} from '../../../src/events/replay/errors.ts';
import type { Pause } from '../../../src/events/replay/feed.ts';
import { cancelReplay, requestReplay, workReplays } from '../../../src/events/replay/replay.ts';
import { runReplay } from '../../../src/events/replay/run.ts';
import { type StorageWorker, startStorageWorker } from '../../../src/events/storage/worker.ts';
import { streamTotals } from '../../../src/events/stream-stats.ts';
import type { UnifiedEvent } from '../../../src/events/unified-event.ts';
import type { JobQueue } from '../../../src/jobs/job-queue.ts';
import { createPgBossQueue } from '../../../src/jobs/pg-boss-queue.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { newId, type SessionId, uuidFromId } from '../../../src/lib/ids.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import type { Vault } from '../../../src/privacy/vault.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';
import {
  chatAt,
  eraseMember,
  eventAt,
  giftAt,
  type Recording,
  record,
  recordChannel,
  recordStream,
  STARTED_AT,
  testVault,
  viewer,
} from '../support/recorded.ts';

const logger = createLogger('silent');
/** The one wait of a replay that is not for an event: between two writes of its progress. */
const PROGRESS_BEAT_MS = 500;

/** Everything a replay needs, all of it real: database, bus, storage worker, job queue. */
interface World {
  readonly test: TestDatabase;
  readonly vault: Vault;
  readonly bus: EventBus;
  readonly storage: StorageWorker;
  readonly jobs: JobQueue;
}

let world: World;
beforeAll(async () => {
  const test = await createTestDatabase();
  const vault = testVault(test.db);
  const bus = createInProcessBus({ clock: systemClock });
  const storage = await startStorageWorker(
    { db: test.db, bus, vault, clock: systemClock, logger, registry: new Registry() },
    { consumerId: 'storage-1' },
  );
  const jobs = await createPgBossQueue({ connectionString: test.url, role: 'worker', logger });
  world = { test, vault, bus, storage, jobs };
  await workReplays({ ...deps(), jobs });
});
afterAll(async () => {
  await world.jobs.stop();
  await world.storage.stop();
  await world.bus.close();
  await world.test[Symbol.asyncDispose]();
});

const pause: Pause = async (ms, signal) => {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
};
const deps = () => ({
  db: world.test.db,
  bus: world.bus,
  vault: world.vault,
  jobs: world.jobs,
  clock: systemClock,
  logger,
  pause,
});

async function sessionOf(sessionId: SessionId): Promise<SessionRow> {
  const [session] = await selectSessions(world.test.db, [sessionId]);
  if (session === undefined) throw new Error('the session exists');
  return session;
}

async function ended(sessionId: SessionId): Promise<SessionRow> {
  return waitFor(
    async () => {
      const session = await sessionOf(sessionId);
      return session.state === 'LIVE' ? null : session;
    },
    { timeoutMs: 20_000, message: 'the replay to end' },
  );
}

/** The stored events of a session, once there are `count`. */
async function storedOf(
  recording: Recording,
  sessionId: SessionId,
  count: number,
): Promise<readonly UnifiedEvent[]> {
  return waitFor(
    async () => {
      const { items } = await listEvents(deps(), {
        channelId: recording.channelId,
        sessionId,
        order: 'ASC',
        first: 100,
      });
      return items.length >= count ? items.map((item) => item.event) : null;
    },
    { message: `${count} stored events` },
  );
}

/** What replaying must keep: everything but the identity of the session and of gift streaks. */
function essence(event: UnifiedEvent): unknown {
  const { eventId: _1, sessionId: _2, sequence: _3, ingestedAt: _4, source: _5, ...kept } = event;
  if (event.eventType !== 'GIFT') return kept;
  const { streakId: _6, ...payload } = event.payload;
  return { ...kept, payload };
}

async function recorded(): Promise<Recording> {
  return recordStream(world.test.db, { channelId: await recordChannel(world.test.db) });
}

const chats = (recording: Recording, count: number, everyMs = 1) =>
  Array.from({ length: count }, (_, index) =>
    chatAt(recording, {
      atMs: index * everyMs,
      sequence: index + 1,
      message: `m${index}`,
      user: viewer(index % 5),
    }),
  );

describe('a replay', () => {
  it('sends every event of the session again, in order, as a new session', async () => {
    const recording = await recorded();
    const events = [
      chatAt(recording, { atMs: 0, sequence: 1, message: 'hello', user: viewer(1) }),
      giftAt(recording, { atMs: 1, sequence: 2, coins: 10, user: viewer(2), toUserId: '77' }),
      giftAt(recording, { atMs: 1, sequence: 3, coins: 20, user: viewer(2) }),
      eventAt(recording, {
        type: 'ROOM_USER',
        atMs: 2,
        sequence: 4,
        payload: { viewerCount: 3, totalViewerCount: 4 },
      }),
      eventAt(recording, {
        type: 'RAW',
        atMs: 3,
        sequence: 5,
        payload: { rawType: 'WebcastX', data: { a: [1] } },
      }),
      eventAt(recording, { type: 'STREAM_END', atMs: 4, sequence: 6, payload: { reason: 'ENDED' } }),
    ];
    await record(deps(), events);
    const seen: UnifiedEvent[] = [];
    const unsubscribe = await world.bus.subscribe(recording.channelId, {
      listener: ({ event }) => seen.push(event),
    });
    const sessionId = await requestReplay(deps(), { sessionId: recording.sessionId, speed: null });
    const session = await ended(sessionId);
    await unsubscribe();
    expect(session).toMatchObject({
      source: 'REPLAY',
      state: 'ENDED',
      streamId: recording.streamId,
      replay: { of: recording.sessionId, speed: null, eventsTotal: 6, eventsDone: 6, cancelRequested: false },
    });
    expect(seen.map(essence)).toEqual(events.map(essence));
    expect(seen.every((event) => event.source === 'REPLAY' && event.sessionId === sessionId)).toBe(true);
    expect(new Set([...seen, ...events].map((event) => event.eventId)).size).toBe(12);
    expect((await storedOf(recording, sessionId, 6)).map(essence)).toEqual(events.map(essence));
  });

  it('keeps the growth of gift streaks and gives them a name of its own', async () => {
    const recording = await recorded();
    const step = giftAt(recording, { atMs: 0, sequence: 1, coins: 5 });
    const next = giftAt(recording, { atMs: 1, sequence: 2, coins: 5 });
    if (step.eventType !== 'GIFT' || next.eventType !== 'GIFT') throw new Error('both are gifts');
    const { streakId } = step.payload;
    await record(deps(), [
      step,
      { ...next, payload: { ...next.payload, streakId, streakCount: 2, streakCoins: 10 } },
    ]);
    const streaks = new Set<string>([streakId]);
    for (let round = 1; round <= 2; round += 1) {
      const sessionId = await requestReplay(deps(), { sessionId: recording.sessionId, speed: null });
      const gifts = (await storedOf(recording, sessionId, 2)).flatMap((event) =>
        event.eventType === 'GIFT' ? event.payload : [],
      );
      expect(gifts.map((gift) => [gift.coins, gift.streakCoins])).toEqual([
        [5, 5],
        [5, 10],
      ]);
      expect(new Set(gifts.map((gift) => gift.streakId)).size).toBe(1);
      for (const gift of gifts) streaks.add(gift.streakId);
    }
    expect(streaks.size).toBe(3);
  });

  it('does not count in the totals of the stream', async () => {
    const recording = await recorded();
    await record(deps(), [giftAt(recording, { atMs: 0, sequence: 1, coins: 5 })]);
    const sessionId = await requestReplay(deps(), { sessionId: recording.sessionId, speed: null });
    await storedOf(recording, sessionId, 1);
    const totals = await streamTotals(deps(), [recording.streamId]);
    expect(totals.get(recording.streamId)).toMatchObject({ events: 0, gifts: 0, coins: 0 });
  });

  it('takes its time at a speed factor, but none over what the room repeated at the connect', async () => {
    const recording = await recorded();
    const payload = {};
    await record(deps(), [
      eventAt(recording, { type: 'FOLLOW', atMs: -3_600_000, sequence: 1, history: true, payload }),
      ...[0, 3_000, 3_000, 6_000].map((atMs, index) =>
        eventAt(recording, { type: 'SHARE', atMs, sequence: index + 2, payload }),
      ),
    ]);
    const waited: number[] = [];
    // A clock that only moves when the replay waits: its schedule, without its duration.
    let now = STARTED_AT;
    const timed = {
      ...deps(),
      clock: { nowMs: () => now },
      pause: async (ms: number, signal: AbortSignal) => {
        if (ms === PROGRESS_BEAT_MS) return pause(ms, signal);
        waited.push(ms);
        now += ms;
      },
    };
    const sessionId = await insertReplay(recording, 4);
    await runReplay(timed, { sessionId, signal: new AbortController().signal });
    expect(waited).toEqual([750, 750]);
    expect((await storedOf(recording, sessionId, 5)).map((event) => event.ingestedAt - STARTED_AT)).toEqual([
      0, 0, 750, 750, 1_500,
    ]);
  });

  it('is cancelled within a second, in the middle of a wait', async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 3, 60_000));
    const sessionId = await requestReplay(deps(), { sessionId: recording.sessionId, speed: 1 });
    await waitFor(async () => (await sessionOf(sessionId)).replay?.eventsDone === 1, {
      message: 'the first event',
    });
    const cancelledAt = performance.now();
    await cancelReplay(deps(), { sessionId });
    const session = await ended(sessionId);
    expect(performance.now() - cancelledAt).toBeLessThan(1_000);
    expect(session).toMatchObject({ state: 'CANCELLED', replay: { eventsTotal: 3, eventsDone: 1 } });
    expect(await storedOf(recording, sessionId, 1)).toHaveLength(1);
    await expect(cancelReplay(deps(), { sessionId })).rejects.toThrow(ReplayNotRunningError);
  });

  it('is cancelled by its row alone when the notification is lost', async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 2, 60_000));
    const sessionId = await requestReplay(deps(), { sessionId: recording.sessionId, speed: 1 });
    await waitFor(async () => (await sessionOf(sessionId)).replay?.eventsDone === 1, {
      message: 'the first event',
    });
    const deaf = { ...deps(), bus: busWith({ notify: async () => undefined }) };
    await cancelReplay(deaf, { sessionId });
    expect((await ended(sessionId)).state).toBe('CANCELLED');
  });

  it('goes on where a dead worker was, and nothing comes twice', async () => {
    const recording = await recorded();
    const events = chats(recording, 60);
    await record(deps(), events);
    const sessionId = await insertReplay(recording, null);
    const seen: string[] = [];
    const unsubscribe = await world.bus.subscribe(recording.channelId, {
      listener: ({ event }) =>
        seen.push(event.eventType === 'CHAT' ? event.payload.message : event.eventType),
    });
    // The first run appends most and dies before it can write down that it did.
    const death = new AbortController();
    const dying = busWith({
      append: async (request) => {
        await world.bus.append({ ...request, events: request.events.slice(0, 40) });
        death.abort(new Error('the worker died'));
        throw new Error('the worker died');
      },
    });
    await expect(runReplay({ ...deps(), bus: dying }, { sessionId, signal: death.signal })).rejects.toThrow(
      'the worker died',
    );
    expect(await sessionOf(sessionId)).toMatchObject({ state: 'LIVE', replay: { eventsDone: 0 } });
    await runReplay(deps(), { sessionId, signal: new AbortController().signal });
    await unsubscribe();
    expect(await sessionOf(sessionId)).toMatchObject({ state: 'ENDED', replay: { eventsDone: 60 } });
    expect(seen).toEqual(events.map((_, index) => `m${index}`));
    expect(await storedOf(recording, sessionId, 60)).toHaveLength(60);
  });

  it('starts after what an earlier run has noted as done', async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 10));
    const sessionId = await insertReplay(recording, null);
    await world.test.db
      .updateTable('session')
      .set({ replay_done: 7 })
      .where('id', '=', uuidFromId(sessionId))
      .execute();
    await runReplay(deps(), { sessionId, signal: new AbortController().signal });
    const stored = await storedOf(recording, sessionId, 3);
    expect(stored.map((event) => event.eventType === 'CHAT' && event.payload.message)).toEqual([
      'm7',
      'm8',
      'm9',
    ]);
  });

  it('ends as FAILED, with a reason, when it was tried in vain', async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 1));
    const gone: { givenUp?: (data: { sessionId: SessionId }) => Promise<void> } = {};
    const jobs = {
      ...world.jobs,
      work: async (_: unknown, options: typeof gone) => Object.assign(gone, options),
    };
    await workReplays({ ...deps(), jobs: jobs as unknown as JobQueue });
    const sessionId = await insertReplay(recording, null);
    await gone.givenUp?.({ sessionId });
    expect(await sessionOf(sessionId)).toMatchObject({
      state: 'FAILED',
      stateReason: expect.stringContaining('given up'),
    });
  });

  it('[T-I7] brings no erased person and no deleted words back', async () => {
    const recording = await recorded();
    const members = await record(deps(), [
      chatAt(recording, { atMs: 0, sequence: 1, message: 'erased words', user: viewer(1) }),
      giftAt(recording, { atMs: 1, sequence: 2, coins: 5, user: viewer(1), toUserId: '5' }),
      chatAt(recording, { atMs: 2, sequence: 3, message: 'deleted words', user: viewer(2) }),
      chatAt(recording, { atMs: 3, sequence: 4, message: 'kept words', user: viewer(3) }),
    ]);
    const [erased, redacted] = [members.get(viewer(1).userId), members.get(viewer(2).userId)];
    if (erased === undefined || redacted === undefined) throw new Error('both were recorded');
    await eraseMember(world.test.db, erased);
    await world.test.db
      .insertInto('message_redaction')
      .values({
        channel_id: uuidFromId(recording.channelId),
        member_id: uuidFromId(redacted),
        redacted_before: new Date(STARTED_AT + 2),
      })
      .execute();
    const members0 = await memberIds(recording);
    const sessionId = await insertReplay(recording, null);
    // A vault that never held the erased key.
    await runReplay(
      { ...deps(), vault: testVault(world.test.db) },
      { sessionId, signal: new AbortController().signal },
    );
    const stored = await storedOf(recording, sessionId, 2);
    expect(stored.map((event) => [event.eventType, event.user?.displayName ?? null])).toEqual([
      ['GIFT', null],
      ['CHAT', 'Viewer 3'],
    ]);
    expect(stored[0]).toMatchObject({ payload: { coins: 5, toUserId: null } });
    expect(await memberIds(recording)).toEqual(members0);
    expect((await sessionOf(sessionId)).replay).toMatchObject({ eventsTotal: 4, eventsDone: 4 });
  });

  it('[T-D6] never runs further ahead of storage than it may', { timeout: 60_000 }, async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 1));
    await multiply(recording, 5_000);
    const sessionId = await insertReplay(recording, null);
    // A bus nobody stores from.
    const bus = createInProcessBus({ clock: systemClock });
    let appended = 0;
    await bus.subscribe(recording.channelId, {
      listener: () => {
        appended += 1;
      },
    });
    const stop = new AbortController();
    const running = runReplay({ ...deps(), bus }, { sessionId, signal: stop.signal });
    const outcome = running.catch((error: unknown) => error);
    const stalled = await waitFor(async () => {
      const before = appended;
      await sleep(300);
      return before > 0 && before === appended ? before : null;
    });
    expect(stalled).toBeGreaterThan(2_000);
    expect(stalled).toBeLessThanOrEqual(2_200);
    // Storage catches up with everything so far.
    await world.test.db
      .insertInto('channel_sequence')
      .values({ channel_id: uuidFromId(recording.channelId), last_sequence: stalled })
      .onConflict((conflict) => conflict.column('channel_id').doUpdateSet({ last_sequence: stalled }))
      .execute();
    await waitFor(() => appended > stalled);
    stop.abort(new Error('enough'));
    expect(await outcome).toEqual(new Error('enough'));
    await bus.close();
  });
});

describe('asking for a replay', () => {
  it('is refused with the reason, and nothing is left behind', async () => {
    const recording = await recorded();
    const live = await recordStream(world.test.db, { channelId: recording.channelId, endedAt: null });
    const unknown = newId('session', STARTED_AT);
    const before = await sessionCount();
    const request = (sessionId: SessionId, speed: number | null = null) =>
      requestReplay(deps(), { sessionId, speed });
    await expect(request(unknown)).rejects.toThrow(SessionNotFoundError);
    await expect(request(live.sessionId)).rejects.toThrow(SessionStillLiveError);
    await expect(request(recording.sessionId)).rejects.toThrow(NoEventsError);
    for (const speed of [0, -1, 0.09, 1_001, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(request(recording.sessionId, speed)).rejects.toThrow(ReplaySpeedError);
    }
    await expect(cancelReplay(deps(), { sessionId: recording.sessionId })).rejects.toThrow(
      ReplayNotRunningError,
    );
    expect(await sessionCount()).toBe(before);
  });

  it('can be taken back before any worker has begun', async () => {
    const recording = await recorded();
    await record(deps(), chats(recording, 1));
    const sessionId = await insertReplay(recording, null);
    await cancelReplay(deps(), { sessionId });
    await runReplay(deps(), { sessionId, signal: new AbortController().signal });
    expect(await sessionOf(sessionId)).toMatchObject({
      state: 'CANCELLED',
      replay: { eventsDone: 0, eventsTotal: null },
    });
    expect(
      (await listEvents(deps(), { channelId: recording.channelId, sessionId, order: 'ASC', first: 1 })).items,
    ).toEqual([]);
  });
});

/** The real bus, but for one thing that goes wrong. */
function busWith(faults: Partial<EventBus>): EventBus {
  return new Proxy(world.bus, {
    get: (bus, name) => {
      const fault: unknown = Reflect.get(faults, name);
      const real: unknown = Reflect.get(bus, name);
      return fault ?? (typeof real === 'function' ? real.bind(bus) : real);
    },
  });
}

/** A requested replay whose job nobody runs: the test does. */
async function insertReplay(recording: Recording, speed: number | null): Promise<SessionId> {
  const id = newId('session', systemClock.nowMs());
  await world.test.db
    .insertInto('session')
    .values({
      id: uuidFromId(id),
      stream_id: uuidFromId(recording.streamId),
      channel_id: uuidFromId(recording.channelId),
      source: 'REPLAY',
      state: 'LIVE',
      started_at: new Date(systemClock.nowMs()),
      replay_of: uuidFromId(recording.sessionId),
      replay_speed: speed,
    })
    .execute();
  return id;
}

/** Adds `count` more events to the recording, without anything personal in them. */
async function multiply(recording: Recording, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => ({
    event_id: randomBytes(32),
    occurred_at: new Date(STARTED_AT + 10 + index),
    sequence: 10 + index,
    channel_id: uuidFromId(recording.channelId),
    stream_id: uuidFromId(recording.streamId),
    session_id: uuidFromId(recording.sessionId),
    trigger_id: 4,
    provider: 1,
    source: 1,
    history: false,
    ingested_at: new Date(STARTED_AT + 10 + index),
    payload: '{}',
  }));
  for (let start = 0; start < rows.length; start += 1_000) {
    await world.test.db
      .insertInto('event')
      .values(rows.slice(start, start + 1_000))
      .execute();
  }
}

async function memberIds(recording: Recording): Promise<readonly string[]> {
  const rows = await world.test.db
    .selectFrom('audience_member')
    .select('id')
    .where('channel_id', '=', uuidFromId(recording.channelId))
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

async function sessionCount(): Promise<bigint> {
  const row = await world.test.db
    .selectFrom('session')
    .select((eb) => eb.fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return row.count;
}
