import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../../src/bus/port.ts';
import { selectSessions } from '../../../src/db/session.ts';
import { listEvents } from '../../../src/events/history.ts';
import { NoEventsError } from '../../../src/events/replay/errors.ts';
import { failOrphanedFileReplays, replayFile } from '../../../src/events/replay/file.ts';
import { FixtureFileError, FixtureSpanError } from '../../../src/events/replay/fixture.ts';
import { cancelReplay } from '../../../src/events/replay/replay.ts';
import { type StorageWorker, startStorageWorker } from '../../../src/events/storage/worker.ts';
import type { UnifiedEvent } from '../../../src/events/unified-event.ts';
import { FixtureLineError } from '../../../src/ingest/fixture.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type ChannelId, newId, parseId, type SessionId, uuidFromId } from '../../../src/lib/ids.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import type { Vault } from '../../../src/privacy/vault.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';
import { recordChannel, STARTED_AT, testVault } from '../support/recorded.ts';

const logger = createLogger('silent');
const DAY_MS = 24 * 60 * 60 * 1000;

let test: TestDatabase;
let vault: Vault;
let bus: EventBus;
let storage: StorageWorker;
let directory: string;
beforeAll(async () => {
  test = await createTestDatabase();
  vault = testVault(test.db);
  bus = createInProcessBus({ clock: systemClock });
  const deps = { db: test.db, bus, vault, clock: systemClock, logger, registry: new Registry() };
  storage = await startStorageWorker(deps, { consumerId: 'storage-1' });
  directory = await mkdtemp(join(tmpdir(), 'tallylight-fixture-'));
});
afterAll(async () => {
  await storage.stop();
  await bus.close();
  await test[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const pause = async (ms: number, signal: AbortSignal) => {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
};
const deps = () => ({ db: test.db, bus, vault, clock: systemClock, logger, pause });

async function fixture(name: string, lines: readonly string[]): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, lines.join('\n'));
  return path;
}

function chatLine(index: number, atMs = index): string {
  const time = STARTED_AT + atMs;
  const user = { id: `70000000${index}`, displayId: `viewer_${index}`, nickname: `Viewer ${index}` };
  const common = {
    method: 'WebcastChatMessage',
    msgId: `7286185139394${index + 100_000}`,
    createTime: String(time),
  };
  const data = { common, user, content: `message ${index} ünï` };
  return JSON.stringify({ rawType: 'WebcastChatMessage', messageId: common.msgId, receivedAt: time, data });
}

function replayed(
  path: string,
  channelId: ChannelId,
  options: { speed?: number; signal?: AbortSignal } = {},
) {
  const progress: { done: number; total: number }[] = [];
  const outcome = replayFile(deps(), {
    path,
    channelId,
    speed: options.speed ?? null,
    signal: options.signal ?? new AbortController().signal,
    onProgress: (step) => progress.push(step),
  });
  return { outcome, progress };
}

async function storedOf(
  channelId: ChannelId,
  sessionId: SessionId,
  count: number,
): Promise<readonly UnifiedEvent[]> {
  return waitFor(
    async () => {
      const { items } = await listEvents(deps(), { channelId, sessionId, order: 'ASC', first: 100 });
      return items.length >= count ? items.map((item) => item.event) : null;
    },
    { message: `${count} stored events` },
  );
}

async function counts(): Promise<readonly bigint[]> {
  const of = (table: 'session' | 'stream' | 'event') =>
    test.db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<bigint>().as('count'))
      .executeTakeFirstOrThrow();
  return (await Promise.all([of('session'), of('stream'), of('event')])).map((row) => row.count);
}

describe('a fixture file', () => {
  it('is ingested like a room, as a replay on a stream of the file', async () => {
    const channelId = await recordChannel(test.db);
    const lines = [chatLine(0), '', chatLine(1), `${chatLine(2)}\r`];
    const path = await fixture('chat.ndjson', lines);
    const { outcome, progress } = replayed(path, channelId);
    const { sessionId, streamId, state, messages } = await outcome;
    expect({ state, messages }).toEqual({ state: 'ENDED', messages: 3 });
    expect(progress.at(-1)).toEqual({ done: 3, total: 3 });
    const events = await storedOf(channelId, sessionId, 3);
    expect(
      events.map((event) => [
        event.eventType,
        event.timestamp - STARTED_AT,
        event.source,
        event.user?.displayName,
      ]),
    ).toEqual([
      ['CHAT', 0, 'REPLAY', 'Viewer 0'],
      ['CHAT', 1, 'REPLAY', 'Viewer 1'],
      ['CHAT', 2, 'REPLAY', 'Viewer 2'],
    ]);
    expect(events[1]).toMatchObject({ payload: { message: 'message 1 ünï' } });
    const sha256 = createHash('sha256').update(lines.join('\n')).digest('hex');
    const stream = await test.db
      .selectFrom('stream')
      .select(['external_id', 'simulated'])
      .where('id', '=', uuidFromId(streamId))
      .executeTakeFirst();
    expect(stream).toEqual({ external_id: `fixture:${sha256}`, simulated: true });
    const [session] = await selectSessions(test.db, [sessionId]);
    expect(session).toMatchObject({ source: 'REPLAY', state: 'ENDED' });

    const again = await replayed(path, channelId).outcome;
    expect(again.streamId).toBe(streamId);
    expect(again.sessionId).not.toBe(sessionId);
    const ids = new Set(
      [...events, ...(await storedOf(channelId, again.sessionId, 3))].map((event) => event.eventId),
    );
    expect(ids.size).toBe(6);
  });

  it('closes gift streaks by the time of the file, not by the time of day', async () => {
    const channelId = await recordChannel(test.db);
    const gift = (index: number, atMs: number, repeatCount: number) => {
      const time = STARTED_AT + atMs;
      const common = {
        method: 'WebcastGiftMessage',
        msgId: `72861851393950000${index}`,
        createTime: String(time),
      };
      const user = { id: '700000001', displayId: 'giver', nickname: 'Giver' };
      const data = {
        common,
        user,
        giftId: '5655',
        groupId: '1',
        repeatCount,
        repeatEnd: 0,
        gift: { id: '5655', name: 'Rose', type: 1, diamondCount: 1 },
      };
      return JSON.stringify({
        rawType: 'WebcastGiftMessage',
        messageId: common.msgId,
        receivedAt: time,
        data,
      });
    };
    const path = await fixture('gifts.ndjson', [gift(0, 0, 2), gift(1, 500, 5), chatLine(9, 30_000)]);
    const { sessionId } = await replayed(path, channelId).outcome;
    const events = await storedOf(channelId, sessionId, 4);
    const told = events.map((event) =>
      event.eventType === 'GIFT'
        ? [event.payload.giftCount, event.payload.streakCount, event.payload.streakEnd]
        : event.eventType,
    );
    expect(told).toEqual([[2, 2, false], [3, 5, false], [0, 5, true], 'CHAT']);
  });

  it('keeps what cannot be decoded for the operator and goes on', async () => {
    const channelId = await recordChannel(test.db);
    const broken = JSON.stringify({
      rawType: 'WebcastChatMessage',
      bytesBase64: 'AAEC',
      error: 'unexpected end',
      receivedAt: STARTED_AT,
    });
    const path = await fixture('broken.ndjson', [broken, chatLine(1)]);
    const { sessionId } = await replayed(path, channelId).outcome;
    expect(await storedOf(channelId, sessionId, 1)).toHaveLength(1);
    const letters = (await bus.deadLetters({ group: 'ingest', limit: 10 })).filter(
      (letter) => letter.channelId === channelId,
    );
    expect(letters.map((letter) => letter.message)).toEqual(['AAEC']);
  });

  it('leaves nothing behind when it is not a fixture', async () => {
    const channelId = await recordChannel(test.db);
    const before = await counts();
    const refused = async (path: string) =>
      replayed(path, channelId).outcome.catch((error: unknown) => error);
    const days = Array.from({ length: 33 }, (_, day) => chatLine(day, day * DAY_MS));

    const corrupt = await refused(await fixture('corrupt.ndjson', [chatLine(0), chatLine(1), '{"rawType":']));
    expect(corrupt).toBeInstanceOf(FixtureLineError);
    expect(corrupt).toMatchObject({ lineNumber: 3 });
    expect(await refused(await fixture('endless.ndjson', ['x'.repeat(3_000_000)]))).toBeInstanceOf(
      FixtureLineError,
    );
    expect(await refused(await fixture('empty.ndjson', ['', '  ']))).toBeInstanceOf(NoEventsError);
    expect(await refused(await fixture('months.ndjson', days))).toBeInstanceOf(FixtureSpanError);
    expect(await refused(join(directory, 'missing.ndjson'))).toBeInstanceOf(FixtureFileError);
    expect(await refused(directory)).toBeInstanceOf(FixtureFileError);
    expect(await counts()).toEqual(before);
  });

  it('stops within a second when its caller or somebody else cancels', async () => {
    const channelId = await recordChannel(test.db);
    const path = await fixture('slow.ndjson', [chatLine(0, 0), chatLine(1, 60_000)]);
    const caller = new AbortController();
    for (const cancel of ['api', 'caller'] as const) {
      const { outcome, progress } = replayed(path, channelId, { speed: 1, signal: caller.signal });
      await waitFor(() => progress.some((step) => step.done === 1), { message: 'the first message' });
      const cancelledAt = performance.now();
      if (cancel === 'api') {
        const [session] = await runningSessions(channelId);
        if (session === undefined) throw new Error('it runs');
        await cancelReplay(deps(), { sessionId: session });
      } else caller.abort();
      const { state, sessionId } = await outcome;
      expect(performance.now() - cancelledAt).toBeLessThan(1_000);
      expect(state).toBe('CANCELLED');
      expect((await selectSessions(test.db, [sessionId]))[0]).toMatchObject({ state: 'CANCELLED' });
    }
  });

  it('ends as FAILED once its process is dead, and not while it lives', async () => {
    const channelId = await recordChannel(test.db);
    const path = await fixture('alive.ndjson', [chatLine(0, 0), chatLine(1, 60_000)]);
    const caller = new AbortController();
    const { outcome, progress } = replayed(path, channelId, { speed: 1, signal: caller.signal });
    await waitFor(() => progress.some((step) => step.done === 1), { message: 'the first message' });
    const [alive] = await runningSessions(channelId);
    if (alive === undefined) throw new Error('it runs');
    const dead = newId('session', STARTED_AT);
    const row = await test.db
      .selectFrom('session')
      .selectAll()
      .where('id', '=', uuidFromId(alive))
      .executeTakeFirstOrThrow();
    await test.db
      .insertInto('session')
      .values({ ...row, id: uuidFromId(dead) })
      .execute();

    expect(await failOrphanedFileReplays(deps())).toBe(1);
    const states = (await selectSessions(test.db, [alive, dead])).map(({ id, state }) => [id, state]);
    expect(new Map(states as [string, string][])).toEqual(
      new Map([
        [alive, 'LIVE'],
        [dead, 'FAILED'],
      ]),
    );
    caller.abort();
    await outcome;
  });
});

async function runningSessions(channelId: ChannelId): Promise<readonly SessionId[]> {
  const rows = await test.db
    .selectFrom('session')
    .select('id')
    .where('channel_id', '=', uuidFromId(channelId))
    .where('state', '=', 'LIVE')
    .execute();
  return rows.flatMap((row) => parseId('session', `ses_${row.id.replaceAll('-', '')}`) ?? []);
}
