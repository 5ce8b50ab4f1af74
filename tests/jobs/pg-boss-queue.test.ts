import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobKind, JobQueue } from '../../src/jobs/job-queue.ts';
import { createPgBossQueue } from '../../src/jobs/pg-boss-queue.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait.ts';
import { testJob } from './support/test-job.ts';

/** A dead worker is noticed by its missing heartbeat, looked for every 10 s. */
const TAKE_OVER_MS = 60_000;

let test: TestDatabase;
const queues: JobQueue[] = [];
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(queues.map((queue) => queue.stop()));
  await test[Symbol.asyncDispose]();
});

async function openQueue(role: 'worker' | 'sender' = 'worker'): Promise<JobQueue> {
  const queue = await createPgBossQueue({ connectionString: test.url, role, logger: createLogger('silent') });
  queues.push(queue);
  return queue;
}

const enqueue = <T extends { readonly number: number }>(queue: JobQueue, kind: JobKind<T>, data: T) =>
  test.db.transaction().execute((tx) => queue.enqueue(tx, kind, data));

const givenUp = async () => undefined;

describe('the job queue on pg-boss', () => {
  it('makes its schema once when several processes start at once', async () => {
    const opened = await Promise.all([openQueue('sender'), openQueue('sender'), openQueue('worker')]);
    expect(opened).toHaveLength(3);
  });

  it('runs a job of a committed transaction at once, and none of one that was rolled back', async () => {
    const kind = testJob('transactional');
    const [sender, worker] = [await openQueue('sender'), await openQueue()];
    const seen: number[] = [];
    await worker.work(kind, {
      concurrency: 1,
      givenUp,
      run: async ({ number }) => {
        seen.push(number);
      },
    });
    const rolledBack = test.db.transaction().execute(async (tx) => {
      await sender.enqueue(tx, kind, { number: 1 });
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    await enqueue(sender, kind, { number: 2 });
    await waitFor(() => seen.length > 0, { timeoutMs: 2_000 });
    expect(seen).toEqual([2]);
  });

  it('tries a job that throws again, then gives it up with its data', async () => {
    const kind = testJob('failing', { retriesMax: 2 });
    const queue = await openQueue();
    const runs: number[] = [];
    const gaveUp: number[] = [];
    await queue.work(kind, {
      concurrency: 1,
      run: async ({ number }) => {
        runs.push(number);
        throw new Error('not today');
      },
      givenUp: async ({ number }) => {
        gaveUp.push(number);
      },
    });
    await enqueue(queue, kind, { number: 7 });
    await waitFor(() => gaveUp.length > 0, { timeoutMs: 25_000, message: 'the job to be given up' });
    expect({ runs, gaveUp }).toEqual({ runs: [7, 7, 7], gaveUp: [7] });
  });

  it('runs as many jobs at a time as it was told', async () => {
    const kind = testJob('parallel');
    const queue = await openQueue();
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    await queue.work(kind, {
      concurrency: 3,
      givenUp,
      run: async () => {
        running += 1;
        most = Math.max(most, running);
        await gate.promise;
        running -= 1;
      },
    });
    for (let number = 0; number < 5; number += 1) await enqueue(queue, kind, { number });
    await waitFor(() => running === 3);
    gate.resolve();
    await waitFor(async () => (await statesOf(kind)).every((state) => state === 'completed'));
    expect(most).toBe(3);
    expect(await statesOf(kind)).toHaveLength(5);
  });

  it('aborts running jobs when it stops and leaves them to be run again', async () => {
    const kind = testJob('interrupted');
    const first = await openQueue();
    const started = Promise.withResolvers<void>();
    await first.work(kind, {
      concurrency: 1,
      givenUp,
      run: async (_data, { signal }) => {
        started.resolve();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    await enqueue(first, kind, { number: 1 });
    await started.promise;
    const stoppedAt = performance.now();
    await first.stop();
    await first.stop(); // idempotent
    expect(performance.now() - stoppedAt).toBeLessThan(2_000);
    expect(await statesOf(kind)).toEqual(['retry']);

    const second = await openQueue();
    const ran = Promise.withResolvers<number>();
    await second.work(kind, { concurrency: 1, givenUp, run: async ({ number }) => ran.resolve(number) });
    expect(await ran.promise).toBe(1);
  });

  it('gives the job of a killed worker to another within a minute', {
    timeout: TAKE_OVER_MS + 20_000,
  }, async () => {
    const kind = testJob('orphaned');
    const survivor = await openQueue();
    await using worker = await startWorkerProcess(kind.name);
    await enqueue(survivor, kind, { number: 42 });
    await worker.line('running 42');
    worker.kill();
    const ran = Promise.withResolvers<number>();
    await survivor.work(kind, { concurrency: 1, givenUp, run: async ({ number }) => ran.resolve(number) });
    await waitFor(async () => (await statesOf(kind))[0] === 'completed', { timeoutMs: TAKE_OVER_MS });
    expect(await ran.promise).toBe(42);
  });

  it('keeps a schedule once, however many processes ask for it', async () => {
    const kind = testJob('scheduled');
    for (const cron of ['5 * * * *', '17 * * * *']) {
      const queue = await openQueue('sender');
      await queue.schedule(kind, cron, { number: 3 });
    }
    const { rows } =
      await sql`select name, cron, timezone, data from tallylight_jobs.schedule where name = ${kind.name}`.execute(
        test.db,
      );
    expect(rows).toEqual([{ name: 'scheduled', cron: '17 * * * *', timezone: 'UTC', data: { number: 3 } }]);
  });
});

async function statesOf(kind: { readonly name: string }): Promise<readonly string[]> {
  const { rows } = await sql<{ state: string }>`
    select state::text as state from tallylight_jobs.job where name = ${kind.name}
  `.execute(test.db);
  return rows.map((row) => row.state);
}

/** A worker in a process of its own, to be killed. */
async function startWorkerProcess(kindName: string) {
  const script = fileURLToPath(new URL('./support/stuck-worker.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [script, test.url, kindName], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  await waitFor(() => output.includes('ready'), { timeoutMs: 20_000, message: 'the worker process' });
  return {
    line: (text: string) => waitFor(() => output.includes(text), { message: text }),
    kill: () => child.kill('SIGKILL'),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
