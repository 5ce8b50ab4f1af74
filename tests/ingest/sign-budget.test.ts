import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/connect.ts';
import { takeSignToken } from '../../src/db/sign-budget.ts';
import { createSignBudget } from '../../src/ingest/sign-budget.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

/** A worker of its own: its own pool, nothing shared but the database. */
function worker() {
  const db = createDatabase({
    connectionString: database.url,
    poolMax: 5,
    statementTimeoutMs: 10_000,
    applicationName: 'tallylight test',
  });
  return { db, [Symbol.asyncDispose]: () => db.destroy() };
}

const outcomes = async (tries: readonly Promise<void>[]) => {
  const settled = await Promise.allSettled(tries);
  return {
    taken: settled.filter(({ status }) => status === 'fulfilled').length,
    refusals: settled.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
  };
};

describe('the budget of a sign key', () => {
  it('gives exactly its tokens to 60 requests of three workers at once', async () => {
    await using first = worker();
    await using second = worker();
    await using third = worker();
    const bucket = {
      keyHash: createHash('sha256').update('race').digest(),
      capacity: 10,
      tokensPerSecond: 0.001,
    };
    const tries = Array.from({ length: 60 }, (_, index) => {
      const { db } = [first, second, third][index % 3] ?? first;
      return takeSignToken(db, bucket);
    });
    const taken = (await Promise.all(tries)).filter(({ kind }) => kind === 'TAKEN');
    expect(taken.length).toBe(10);
  });

  it('says how long to wait, and outlives the worker that used it up', async () => {
    const options = { signKey: 'restart', perMinute: 6 };
    {
      await using before = worker();
      const budget = createSignBudget({ db: before.db, clock: systemClock }, options);
      for (let request = 0; request < 6; request += 1) await budget.take();
    }
    await using after = worker();
    const budget = createSignBudget({ db: after.db, clock: systemClock }, options);
    const { taken, refusals } = await outcomes([budget.take()]);
    expect(taken).toBe(0);
    expect(refusals[0]).toMatchObject({ failure: 'RATE_LIMITED' });
    expect(refusals[0].retryAfterMs).toBeGreaterThan(8_000);
    expect(refusals[0].retryAfterMs).toBeLessThanOrEqual(10_000);
  });

  it('is closed to all workers for as long as the sign server said, and a shorter word does not open it', async () => {
    await using one = worker();
    await using other = worker();
    const options = { signKey: 'blocked', perMinute: 600 };
    const budget = createSignBudget({ db: one.db, clock: systemClock }, options);
    await budget.take();
    await budget.block(systemClock.nowMs() + 30_000);
    await budget.block(systemClock.nowMs() + 1_000);
    for (const { db } of [one, other]) {
      const { refusals } = await outcomes([createSignBudget({ db, clock: systemClock }, options).take()]);
      expect(refusals[0]).toMatchObject({ failure: 'RATE_LIMITED' });
      expect(refusals[0].retryAfterMs).toBeGreaterThan(25_000);
    }
  });

  it('keeps keys apart', async () => {
    const { db } = database;
    const mine = createSignBudget({ db, clock: systemClock }, { signKey: 'mine', perMinute: 1 });
    const yours = createSignBudget({ db, clock: systemClock }, { signKey: 'yours', perMinute: 1 });
    await mine.take();
    await expect(mine.take()).rejects.toMatchObject({ failure: 'RATE_LIMITED' });
    await yours.take();
  });

  it('holds within one process while PostgreSQL is away', async () => {
    const db = createDatabase({
      connectionString: 'postgres://nobody@127.0.0.1:1/none',
      poolMax: 1,
      statementTimeoutMs: 1_000,
      applicationName: 'tallylight test',
    });
    const budget = createSignBudget({ db, clock: systemClock }, { perMinute: 3 });
    for (let request = 0; request < 3; request += 1) await budget.take();
    await expect(budget.take()).rejects.toMatchObject({ failure: 'RATE_LIMITED' });
    await db.destroy();
  });
});
