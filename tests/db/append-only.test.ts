import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvents } from '../../src/db/event-insert.ts';
import { createEventPartitions } from '../../src/db/partition.ts';
import { SAMPLE_TIME_MS, sampleInsert } from '../events/support/sample-events.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await createEventPartitions(database.db, { from: SAMPLE_TIME_MS, days: 1 });
  await insertEvents(database.db, [sampleInsert()], []);
});
afterAll(() => database[Symbol.asyncDispose]());

const CHANGES = ['update % set sequence = 2', 'delete from %', 'truncate %'];
const TABLES = ['event', 'event_20261120'];
const cases = TABLES.flatMap((table) => CHANGES.map((change) => change.replace('%', table)));

async function sequences(): Promise<bigint[]> {
  const rows = await database.db.selectFrom('event').select('sequence').execute();
  return rows.map((row) => row.sequence);
}

describe('[T-T3] events are append-only', () => {
  it.each(cases)('%s is refused, and nothing changes', async (statement) => {
    await expect(sql.raw(statement).execute(database.db)).rejects.toMatchObject({
      code: '42501', // insufficient_privilege
      message: `events are append-only: ${statement.split(' ')[0]?.toUpperCase()} refused`,
    });
    expect(await sequences()).toEqual([1n]);
  });

  it.each(cases)('%s is allowed to the retention role', async (statement) => {
    await expect(
      database.db.transaction().execute(async (tx) => {
        await sql`set local role tallylight_retention`.execute(tx);
        await sql.raw(statement).execute(tx);
        const rows = await tx.selectFrom('event').select('sequence').execute();
        throw new Error(`left: ${rows.map((row) => row.sequence).join()}`);
      }),
    ).rejects.toThrow(statement.startsWith('update') ? 'left: 2' : /left: $/);
    expect(await sequences()).toEqual([1n]);
  });

  it('nobody can log in as the retention role', async () => {
    const role = await sql<{
      rolcanlogin: boolean;
    }>`select rolcanlogin from pg_roles where rolname = 'tallylight_retention'`.execute(database.db);
    expect(role.rows).toEqual([{ rolcanlogin: false }]);
  });
});

describe('ensure_event_partition', () => {
  it('called by ten connections at once makes the partition once', async () => {
    const make = () => createEventPartitions(database.db, { from: Date.UTC(2027, 0, 1), days: 2 });
    const made = await Promise.all(Array.from({ length: 10 }, make));
    expect(made.flat().sort()).toEqual(['2027-01-01', '2027-01-02']);
  });

  it('does not wait for transactions that are writing events, nor they for it', async () => {
    await database.db.transaction().execute(async (tx) => {
      await insertEvents(tx, [sampleInsert({ eventId: 'ee'.repeat(32) })], []);
      const made = await createEventPartitions(database.db, { from: Date.UTC(2027, 1, 1), days: 1 });
      expect(made).toEqual(['2027-02-01']);
    });
  });
});
