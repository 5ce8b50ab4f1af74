import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { createEventPartitions } from '../db/partition.ts';
import type { JobKind, JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** Days for which partitions are made ahead: how long the job may fail before events find no place. */
export const PARTITION_DAYS_AHEAD = 7;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Every hour, away from the full hour: seven chances a day more than needed. */
const PARTITIONS_CRON = '17 * * * *';

/** The job that makes partitions ahead. */
export const PARTITIONS_JOB: JobKind<Record<string, never>> = {
  name: 'event-partitions',
  parse: () => ({}),
  retriesMax: 5,
  retryDelaySeconds: 10,
  retryDelayMaxSeconds: 300,
  runSecondsMax: 300,
};

export interface PartitionDeps {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
}

/**
 * Makes the missing event partitions from yesterday (UTC) to `daysAhead` days from today. Yesterday, because what a room
 * repeats at the start may be older than the start. Returns the days made, as `YYYY-MM-DD`.
 */
export async function ensurePartitions(
  deps: PartitionDeps,
  options: { readonly daysAhead: number } = { daysAhead: PARTITION_DAYS_AHEAD },
): Promise<readonly string[]> {
  const yesterday = deps.clock.nowMs() - DAY_MS;
  return createEventPartitions(deps.db, { from: yesterday, days: options.daysAhead + 2 });
}

/** Makes the partitions of the day `at` (milliseconds since the Unix epoch) and its neighbours, for events of another time. */
export async function ensurePartitionsAround(deps: Pick<PartitionDeps, 'db'>, at: number): Promise<void> {
  await createEventPartitions(deps.db, { from: at - DAY_MS, days: 3 });
}

/** Makes partitions now, and from now on every hour in one of the processes that called this. */
export async function keepPartitions(
  deps: PartitionDeps & { readonly jobs: JobQueue; readonly logger: Logger },
): Promise<void> {
  await ensureAndLog(deps);
  await deps.jobs.work(PARTITIONS_JOB, {
    concurrency: 1,
    run: () => ensureAndLog(deps),
    // The next hour's job tries again, and there are days until it matters: this is for the operator's eyes.
    givenUp: async () => deps.logger.error('partitions.not-made'),
  });
  await deps.jobs.schedule(PARTITIONS_JOB, PARTITIONS_CRON, {});
}

async function ensureAndLog(deps: PartitionDeps & { readonly logger: Logger }): Promise<void> {
  const made = await ensurePartitions(deps);
  if (made.length > 0) deps.logger.info({ days: made }, 'partitions.made');
}
