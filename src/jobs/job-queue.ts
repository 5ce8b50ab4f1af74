import type { Transaction } from 'kysely';
import type { Database } from '../db/connect.ts';

/**
 * Work that must happen even if the process that asked for it does not live to do it. Jobs lie in PostgreSQL, so they are
 * enqueued by the transaction that causes them: with it, or not at all.
 *
 * Promises of the port: a job runs at least once, on one worker at a time; a worker that dies loses its job to another
 * within about 30 seconds; a job that throws is tried again with growing delays and, after `retriesMax` of them, given up.
 */
export interface JobQueue {
  /** Adds a job with `tx`. It starts at once after the commit if a worker is free. */
  enqueue<T extends JobData>(tx: Transaction<Database>, kind: JobKind<T>, data: T): Promise<void>;
  /** Runs jobs of this kind in this process, `concurrency` at a time. Call once per kind and process. */
  work<T extends JobData>(kind: JobKind<T>, options: WorkOptions<T>): Promise<void>;
  /** Runs a job of this kind whenever `cron` (five fields, UTC) says so: once per time, however many processes ask for it. */
  schedule<T extends JobData>(kind: JobKind<T>, cron: string, data: T): Promise<void>;
  /** Takes no new jobs, aborts the running ones (they are tried again elsewhere), waits for them, disconnects. Idempotent. */
  stop(): Promise<void>;
}

/** What a job carries: small, JSON, ids only. It lies in the database in clear. */
export type JobData = Readonly<Record<string, string | number | boolean | null>>;

/** A kind of job, declared once as a constant beside its handler. */
export interface JobKind<T extends JobData> {
  /** Letters, digits, `_` and `-`. Part of the stored data: renaming orphans what is queued. */
  readonly name: string;
  /** The data of a queued job, perhaps written by another version. @throws when it is not of this kind. */
  readonly parse: (data: unknown) => T;
  readonly retriesMax: number;
  /** The first retry's delay in seconds; each further one doubles, up to `retryDelayMaxSeconds`. */
  readonly retryDelaySeconds: number;
  readonly retryDelayMaxSeconds: number;
  /** A run that takes longer is taken for dead, in seconds, at most 24 h. */
  readonly runSecondsMax: number;
}

export interface WorkOptions<T extends JobData> {
  readonly concurrency: number;
  /** Resolves when the job is done, throws when it is to be tried again. `signal` aborts when the queue stops. */
  readonly run: (data: T, context: { readonly signal: AbortSignal }) => Promise<void>;
  /** The job will not be tried again; also called for jobs whose workers died. Must not throw lightly: it is retried alike. */
  readonly givenUp: (data: T) => Promise<void>;
}
