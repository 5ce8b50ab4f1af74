import { sql, type Transaction } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/connect.ts';
import { type EventPageQuery, selectEventPage } from '../../src/db/event-history.ts';
import { createEventPartitions } from '../../src/db/partition.ts';
import { TRIGGER_IDS } from '../../src/events/unified-event.ts';
import { idFromUuid, uuidFromId } from '../../src/lib/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Recording, recordChannel, recordStream, STARTED_AT } from './support/recorded.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;
const DAYS = 10;
const EVENTS_PER_DAY = 3_000;
const PAGE = 21;
const MEMBER_SEEN_THREE_TIMES = idFromUuid('member', '01900000000070008000000000000001');

let test: TestDatabase;
let streams: readonly Recording[];

/** Ten days of a channel, a stream a day: chat and likes in turn, a gift of 1 coin in 10, and a few rare things. */
beforeAll(async () => {
  test = await createTestDatabase();
  const channelId = await recordChannel(test.db);
  const made: Recording[] = [];
  for (let day = 0; day < DAYS; day += 1) {
    const startedAt = STARTED_AT + day * DAY_MS;
    await createEventPartitions(test.db, { from: startedAt, days: 1 });
    const recording = await recordStream(test.db, { channelId, startedAt });
    made.push(recording);
    await sql`
      insert into event (event_id, occurred_at, sequence, channel_id, stream_id, session_id, trigger_id, provider, source,
        history, member_id, coins, streak_coins, ingested_at, payload)
      select sha256(int8send(number)), to_timestamp(${startedAt}::float8 / 1000) + (number % ${EVENTS_PER_DAY}) * interval '4 seconds',
        number, ${uuidFromId(channelId)}::uuid, ${uuidFromId(recording.streamId)}::uuid, ${uuidFromId(recording.sessionId)}::uuid,
        case when number % 1500 = 7 then 18 when number % 10 = 0 then 2 else 1 + 2 * (number % 2) end, 1, 1, false,
        case when number % 10000 = 9 then ${uuidFromId(MEMBER_SEEN_THREE_TIMES)}::uuid end,
        case when number % 10 = 0 then 1 end, case when number % 5000 = 10 then 20000 when number % 10 = 0 then 1 end,
        now(), '{}'
      from generate_series(${day * EVENTS_PER_DAY}::bigint, ${(day + 1) * EVENTS_PER_DAY - 1}::bigint) as number
    `.execute(test.db);
  }
  await sql`analyze`.execute(test.db);
  streams = made;
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

/** What a page shows, and how many rows of events PostgreSQL looked at for it. */
async function cost(
  query: Partial<EventPageQuery>,
): Promise<{ shown: number; touched: number; scannedWhole: number }> {
  const channelId = streams[0]?.channelId;
  if (channelId === undefined) throw new Error('recorded above');
  const nothing = {
    streamId: null,
    sessionId: null,
    memberId: null,
    triggerIds: null,
    coinsMin: null,
    from: null,
    to: null,
    after: null,
  };
  return test.db.transaction().execute(async (tx) => {
    const page = {
      ...nothing,
      replays: false,
      order: 'DESC',
      rowsMax: PAGE,
      personal: true,
      channelId,
      ...query,
    } as const;
    const before = await counters(tx);
    const rows = await selectEventPage(tx, page);
    const after = await counters(tx);
    return {
      shown: rows.length,
      touched: after.fetched - before.fetched,
      scannedWhole: after.scanned - before.scanned,
    };
  });
}

/** Heap rows of events that an index fetched, and that were read without one, by this connection since it last reported. */
async function counters(tx: Transaction<Database>): Promise<{ fetched: number; scanned: number }> {
  const { rows } = await sql<{ fetched: number; scanned: number }>`
    select sum(idx_tup_fetch)::float8 as fetched, sum(seq_tup_read)::float8 as scanned
    from pg_stat_xact_user_tables where relname like 'event\_2%'
  `.execute(tx);
  const [row] = rows;
  if (row === undefined) throw new Error('a sum is a row');
  return row;
}

const { CHAT, GIFT, LIKE, ENVELOPE } = TRIGGER_IDS;
// Between two events: at the time of one, that one is looked at as well.
const deep = { occurredAt: STARTED_AT + 4 * DAY_MS + HOUR_MS + 2_000, sequence: 1 };
const exactly = { shown: PAGE, touched: PAGE, scannedWhole: 0 };

describe('[T-D6] a page of history', () => {
  it.each([
    ['of everything, first', {}],
    ['of everything, deep', { after: deep }],
    ['of everything, oldest first, deep', { after: deep, order: 'ASC' }],
    ['of one type', { triggerIds: [CHAT], after: deep }],
    ['of one type, oldest first', { triggerIds: [CHAT], order: 'ASC' }],
    ['within a time range', { from: STARTED_AT + 3 * DAY_MS, to: STARTED_AT + 3 * DAY_MS + HOUR_MS }],
  ] as const)('%s reads the rows it shows and no more', async (_name, query) => {
    expect(await cost(query)).toEqual(exactly);
  });

  it('of several types reads a page of each at most', async () => {
    const pages = await cost({ triggerIds: [CHAT, GIFT, LIKE], after: deep });
    expect(pages).toEqual({ ...exactly, touched: 3 * PAGE });
  });

  it('of something rare reads the rare rows alone', async () => {
    expect(await cost({ triggerIds: [ENVELOPE] })).toEqual({ shown: 20, touched: 20, scannedWhole: 0 });
    expect(await cost({ memberId: MEMBER_SEEN_THREE_TIMES })).toEqual({
      shown: 3,
      touched: 3,
      scannedWhole: 0,
    });
    expect(await cost({ triggerIds: [GIFT], coinsMin: 10_000 })).toEqual({
      shown: 6,
      touched: 6,
      scannedWhole: 0,
    });
  });

  it('of a stream or a session reads nothing of the others, beyond their first and last event', async () => {
    const fifth = streams[5];
    if (fifth === undefined) throw new Error('recorded above');
    const bounds = 2;
    for (const order of ['ASC', 'DESC'] as const) {
      for (const scope of [{ streamId: fifth.streamId }, { sessionId: fifth.sessionId }]) {
        expect(await cost({ ...scope, order })).toEqual({ ...exactly, touched: PAGE + bounds });
        expect(await cost({ ...scope, order, triggerIds: [CHAT] })).toEqual({
          ...exactly,
          touched: PAGE + bounds,
        });
      }
    }
  });
});
