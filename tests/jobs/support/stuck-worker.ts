import { createPgBossQueue } from '../../../src/jobs/pg-boss-queue.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { testJob } from './test-job.ts';

/** A worker process that takes a job and never finishes it: `stuck-worker.ts <database url> <kind>`. */
const [, , connectionString = '', kindName = ''] = process.argv;
const queue = await createPgBossQueue({ connectionString, role: 'worker', logger: createLogger('error') });
await queue.work(testJob(kindName), {
  concurrency: 1,
  givenUp: async () => undefined,
  run: async ({ number }) => {
    process.stdout.write(`running ${number}\n`);
    await new Promise(() => undefined);
  },
});
process.stdout.write('ready\n');
