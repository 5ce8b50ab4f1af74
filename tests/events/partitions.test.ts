import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensurePartitions } from '../../src/events/partitions.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { chatAt, record, recordChannel, recordStream, STARTED_AT, testVault } from './support/recorded.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

async function partitions(): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'event'::regclass order by 1
  `.execute(test.db);
  return rows.map((row) => row.name);
}

describe('event partitions', () => {
  it('are made from yesterday to the last day ahead, by UTC days, once however many ask', async () => {
    // One minute before midnight UTC on 28 February of a leap year.
    const clock = { nowMs: () => Date.UTC(2028, 1, 28, 23, 59) };
    const made = await Promise.all(
      Array.from({ length: 4 }, () => ensurePartitions({ db: test.db, clock }, { daysAhead: 2 })),
    );
    expect(made.flat().toSorted()).toEqual(['2028-02-27', '2028-02-28', '2028-02-29', '2028-03-01']);
    const minuteLater = { nowMs: () => clock.nowMs() + 60 * 1000 };
    expect(await ensurePartitions({ db: test.db, clock: minuteLater }, { daysAhead: 2 })).toEqual([
      '2028-03-02',
    ]);
    const names = await partitions();
    expect(names.filter((name) => name.startsWith('event_2028'))).toEqual([
      'event_20280227',
      'event_20280228',
      'event_20280229',
      'event_20280301',
      'event_20280302',
    ]);
  });

  it('[T-T3] refuse to have their events changed, deleted or cut off', async () => {
    const recording = await recordStream(test.db, { channelId: await recordChannel(test.db) });
    await record({ db: test.db, vault: testVault(test.db) }, [
      chatAt(recording, { atMs: 0, sequence: 1, message: 'stays' }),
    ]);
    const day = new Date(STARTED_AT).toISOString().slice(0, 10).replaceAll('-', '');
    for (const table of ['event', `event_${day}`]) {
      await expect(sql`update ${sql.table(table)} set sequence = 2`.execute(test.db)).rejects.toThrow(
        'append-only',
      );
      await expect(sql`delete from ${sql.table(table)}`.execute(test.db)).rejects.toThrow('append-only');
    }
    await expect(sql`truncate event`.execute(test.db)).rejects.toThrow('append-only');
    const { rows } = await sql<{ sequence: bigint }>`select sequence from event`.execute(test.db);
    expect(rows).toEqual([{ sequence: 1n }]);
  });

  it('take events of the first and the last millisecond of a day', async () => {
    const recording = await recordStream(test.db, { channelId: await recordChannel(test.db) });
    const midnight = Math.ceil(STARTED_AT / DAY_MS) * DAY_MS - STARTED_AT;
    await record({ db: test.db, vault: testVault(test.db) }, [
      chatAt(recording, { atMs: midnight - 1, sequence: 1, message: 'late' }),
      chatAt(recording, { atMs: midnight, sequence: 2, message: 'early' }),
    ]);
    const { rows } = await sql<{ part: string }>`
      select tableoid::regclass::text as part from event where channel_id = ${recording.channelId.slice(4)} order by sequence
    `.execute(test.db);
    expect(rows.map((row) => row.part)).toEqual(['event_20261112', 'event_20261113']);
  });
});
