import { fromKysely, PgBoss, type QueueOptions } from 'pg-boss';
import { SchemaOutdatedError } from '../db/migrate.ts';
import type { Logger } from '../lib/logger.ts';
import type { JobData, JobKind, JobQueue, WorkOptions } from './job-queue.ts';

/** The schema that pg-boss makes and migrates by itself, apart from our tables. */
const SCHEMA = 'tallylight_jobs';
/** A worker that has not been heard of for this long has died. The shortest pg-boss takes. */
const HEARTBEAT_SECONDS = 10;
/** How often dead workers' jobs are looked for. With the heartbeat: a lost job runs again within about 30 s. */
const SUPERVISE_SECONDS = 10;
/** Jobs start by notification; this is for the notification that was missed, and between two jobs of one worker. */
const POLLING_SECONDS = 1;
/** How long `stop` waits for aborted jobs to come to their end. */
const STOP_TIMEOUT_MS = 3_000;
/** Kept after they are done, for whoever asks what happened. */
const KEPT_SECONDS = 7 * 24 * 60 * 60;
/** How often giving a job up is tried again: it only writes down what happened, so it fails only with the database. */
const GIVE_UP_RETRIES_MAX = 20;

export interface PgBossQueueOptions {
  readonly connectionString: string;
  /** `worker` runs jobs and schedules; `sender` only enqueues, with a connection or two and no timers. */
  readonly role: 'worker' | 'sender';
  /** Whether it makes or migrates its schema, for which it must own it; false: somebody has. Two processes may do so at once. */
  readonly install?: boolean;
  readonly logger: Logger;
}

/** Makes or migrates the job queue's schema, and leaves. The user of `connectionString` will own it. */
export async function installJobTables(
  options: Pick<PgBossQueueOptions, 'connectionString' | 'logger'>,
): Promise<void> {
  const queue = await createPgBossQueue({ ...options, role: 'sender' });
  await queue.stop();
}

/**
 * The job queue on pg-boss.
 * @throws SchemaOutdatedError when its schema is not this version's and it is not to install it.
 */
export async function createPgBossQueue(options: PgBossQueueOptions): Promise<JobQueue> {
  const working = options.role === 'worker';
  const install = options.install ?? true;
  const boss = new PgBoss({
    connectionString: options.connectionString,
    schema: SCHEMA,
    application_name: 'tallylight-jobs',
    max: working ? 4 : 2,
    migrate: install,
    useListenNotify: working,
    supervise: working,
    schedule: working,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  });
  boss.on('error', (error) => options.logger.error({ err: error, reason: error.message }, 'jobs.failed'));
  boss.on('warning', (warning) => options.logger.warn({ warning: warning.message }, 'jobs.warned'));
  try {
    await boss.start();
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => undefined);
    // The library says so in words only.
    const outdated =
      !install && error instanceof Error && /pg-boss (is not installed|database)/i.test(error.message);
    if (!outdated) throw error;
    throw new SchemaOutdatedError(
      'The tables of the job queue are not of this version of Tallylight: run `tallylight migrate` first.',
      { cause: error },
    );
  }
  return new PgBossQueue(boss, options.logger);
}

class PgBossQueue implements JobQueue {
  readonly #boss: PgBoss;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  /** Kinds whose queues exist, or are being made. As many as there are kinds in the code. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(boss: PgBoss, logger: Logger) {
    this.#boss = boss;
    this.#logger = logger;
  }

  async enqueue<T extends JobData>(
    tx: Parameters<JobQueue['enqueue']>[0],
    kind: JobKind<T>,
    data: T,
  ): Promise<void> {
    await this.#ensureQueue(kind);
    await this.#boss.send(kind.name, data, { db: fromKysely(tx) });
  }

  async work<T extends JobData>(kind: JobKind<T>, options: WorkOptions<T>): Promise<void> {
    await this.#ensureQueue(kind);
    const polling = {
      pollingIntervalSeconds: POLLING_SECONDS,
      notifyPollingIntervalSeconds: POLLING_SECONDS,
    };
    await this.#boss.work<unknown>(
      kind.name,
      { ...polling, localConcurrency: options.concurrency },
      async (jobs) => {
        for (const job of jobs) {
          const signal = AbortSignal.any([job.signal, this.#stopping.signal]);
          await options.run(kind.parse(job.data), { signal });
        }
      },
    );
    await this.#boss.work<unknown>(givenUpQueue(kind), polling, async (jobs) => {
      for (const job of jobs) {
        this.#logger.error({ kind: kind.name, jobId: job.id }, 'jobs.given-up');
        await options.givenUp(kind.parse(job.data));
      }
    });
  }

  async schedule<T extends JobData>(kind: JobKind<T>, cron: string, data: T): Promise<void> {
    await this.#ensureQueue(kind);
    await this.#boss.schedule(kind.name, cron, data, { tz: 'UTC' });
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the job queue stops'));
    await this.#boss.stop({ graceful: true, close: true, timeout: STOP_TIMEOUT_MS });
  }

  async #ensureQueue<T extends JobData>(kind: JobKind<T>): Promise<void> {
    const known = this.#queues.get(kind.name);
    if (known !== undefined) return known;
    const made = this.#makeQueues(kind);
    this.#queues.set(kind.name, made);
    try {
      await made;
    } catch (error) {
      this.#queues.delete(kind.name); // the next caller tries again
      throw error;
    }
  }

  async #makeQueues<T extends JobData>(kind: JobKind<T>): Promise<void> {
    const given: QueueOptions = {
      retryLimit: GIVE_UP_RETRIES_MAX,
      retryDelay: 5,
      retryBackoff: true,
      retryDelayMax: 300,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      deleteAfterSeconds: KEPT_SECONDS,
    };
    const settings: QueueOptions = {
      ...given,
      retryLimit: kind.retriesMax,
      retryDelay: kind.retryDelaySeconds,
      retryDelayMax: kind.retryDelayMaxSeconds,
      expireInSeconds: kind.runSecondsMax,
    };
    const deadLetter = givenUpQueue(kind);
    await this.#boss.createQueue(deadLetter, { ...given, notify: true });
    await this.#boss.createQueue(kind.name, { ...settings, notify: true, deadLetter });
    await this.#boss.updateQueue(kind.name, settings); // an older version may have made it with other numbers
  }
}

function givenUpQueue(kind: JobKind<JobData>): string {
  return `${kind.name}.given-up`;
}
