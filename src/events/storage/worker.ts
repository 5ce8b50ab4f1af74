import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Registry } from 'prom-client';
import type { ConsumedDelivery, Consumer, ConsumerLag, EventBus, HandlerResult } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import { pingDatabase } from '../../db/ping.ts';
import { classifyFailure, sqlState } from '../../db/sql-state.ts';
import { DependencyError } from '../../errors/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { UnifiedEvent } from '../unified-event.ts';
import type { BatchDeps } from './batch.ts';
import { refusalReason } from './check.ts';
import { GiftMemory } from './gifts.ts';
import { MemberDirectory } from './members.ts';
import { createStorageMetrics, type StorageMetrics } from './metrics.ts';
import { PartitionMemory } from './partitions.ts';
import { STATEMENT_EVENTS_MAX, storePipelined } from './pipeline.ts';

/** The consumer group that writes events to the database. */
export const STORAGE_GROUP = 'storage';

/** Events taken from the bus at a time: several statements' worth, so that one is made ready while another is under way. */
const BATCH_EVENTS_MAX = 8 * STATEMENT_EVENTS_MAX;
/** How long to wait for a fuller batch, in milliseconds: what a lone event waits at most before it is stored. */
const LINGER_MS = 20;
/** Failures of one batch that are nobody's known fault, before its events are tried alone and then given up. */
const ATTEMPTS_MAX = 5;
/** Pauses while the database is away, in milliseconds. The longest keeps recovery well under 5 s after its return. */
const WAIT_FIRST_MS = 100;
const WAIT_LONGEST_MS = 1_000;

export interface StorageWorkerDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface StorageWorkerOptions {
  /** Names this worker on the bus; unique per process. */
  readonly consumerId: string;
  readonly batchEventsMax?: number;
  readonly lingerMs?: number;
}

/** A running storage worker. */
export interface StorageWorker {
  /** Finishes and acknowledges the batch in hand, then stops. */
  stop(): Promise<void>;
  lag(): Promise<ConsumerLag>;
}

/**
 * Writes the bus's events to the database: each exactly once, however often it is delivered, and counted in the rollups
 * exactly once. Acknowledged after the commit. Events that can never be stored go to the dead letters, the rest of
 * their batch is stored. While the database is away the worker waits, and nothing is given up.
 */
export async function startStorageWorker(
  deps: StorageWorkerDeps,
  options: StorageWorkerOptions,
): Promise<StorageWorker> {
  const stopping = new AbortController();
  let consumer: Consumer | undefined;
  const lag = async (): Promise<ConsumerLag> => (await consumer?.lag()) ?? { pendingEvents: 0, oldestMs: 0 };
  const metrics = createStorageMetrics(deps.registry, lag);
  const storage = createStorage({ ...deps, metrics, signal: stopping.signal });
  consumer = await deps.bus.consume({
    group: STORAGE_GROUP,
    consumerId: options.consumerId,
    batchMax: options.batchEventsMax ?? BATCH_EVENTS_MAX,
    lingerMs: options.lingerMs ?? LINGER_MS,
    attemptsMax: ATTEMPTS_MAX,
    handler: storage,
  });
  return {
    lag,
    stop: async () => {
      stopping.abort();
      await consumer?.stop();
    },
  };
}

interface StorageDeps extends Omit<StorageWorkerDeps, 'bus' | 'registry'> {
  readonly metrics: StorageMetrics;
  /** Ends the wait for an absent database: the batch stays on the bus. */
  readonly signal: AbortSignal;
}

function createStorage(deps: StorageDeps): (batch: readonly ConsumedDelivery[]) => Promise<HandlerResult> {
  const { db, vault, clock, metrics } = deps;
  const batchDeps = {
    db,
    vault,
    clock,
    members: new MemberDirectory({ db, vault, clock }),
    gifts: new GiftMemory(),
    partitions: new PartitionMemory(db),
  };
  return async (batch) => {
    const endTimer = metrics.batchSeconds.startTimer();
    const result = await storeDeliveries(deps, batchDeps, batch);
    endTimer();
    metrics.batchEvents.observe(batch.length);
    return result;
  };
}

async function storeDeliveries(
  deps: StorageDeps,
  batchDeps: BatchDeps & { readonly partitions: PartitionMemory },
  batch: readonly ConsumedDelivery[],
): Promise<HandlerResult> {
  const { clock, metrics, logger } = deps;
  const cursors = new Map<string, string>();
  const storable: UnifiedEvent[] = [];
  const rejected: { cursor: string; reason: string }[] = [];
  for (const { event, cursor } of batch) {
    const reason = refusalReason(event, clock.nowMs());
    if (reason !== null) {
      rejected.push({ cursor, reason });
    } else if (!cursors.has(event.eventId)) {
      cursors.set(event.eventId, cursor);
      storable.push(event);
    }
  }
  const { stored, refused } = await waitForDatabase(deps, () => storePipelined(batchDeps, storable));
  for (const { event, reason } of refused) {
    rejected.push({ cursor: cursors.get(event.eventId) ?? '', reason });
  }
  if (rejected.length > 0)
    logger.warn({ count: rejected.length, reasons: countReasons(rejected) }, 'storage.rejected');
  metrics.events.inc({ outcome: 'stored' }, stored);
  metrics.events.inc({ outcome: 'rejected' }, rejected.length);
  metrics.events.inc({ outcome: 'duplicate' }, batch.length - stored - rejected.length);
  observeDelay(deps, storable);
  return { rejected };
}

/** Runs `work`, again and again while the database is away or unwell. Any other failure is thrown. */
async function waitForDatabase<T>(deps: StorageDeps, work: () => Promise<T>): Promise<T> {
  let pauseMs = WAIT_FIRST_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await work();
      if (attempt > 1) deps.logger.info({ attempt }, 'storage.database_back');
      return result;
    } catch (cause) {
      if (!(await isDatabaseAway(deps, cause))) throw cause;
      if (deps.signal.aborted) {
        throw new DependencyError('storage stops while the database is away', {
          dependency: 'postgres',
          retryable: true,
          cause,
        });
      }
      if (attempt === 1) deps.logger.warn({ sqlState: sqlState(cause) }, 'storage.waits_for_database');
      await pause(deps, pauseMs);
      pauseMs = Math.min(pauseMs * 2, WAIT_LONGEST_MS);
    }
  }
}

async function pause(deps: StorageDeps, pauseMs: number): Promise<void> {
  deps.metrics.waiting.inc();
  try {
    await sleep(pauseMs, undefined, { signal: deps.signal });
  } catch {
    // Stopping: the caller sees it and gives up.
  } finally {
    deps.metrics.waiting.dec();
  }
}

/** Whether trying the same again can help. An error that is not the server's answer is judged by whether it answers now. */
async function isDatabaseAway(deps: StorageDeps, error: unknown): Promise<boolean> {
  const failure = classifyFailure(error);
  return failure === 'database' || (failure === 'unknown' && !(await pingDatabase(deps.db)));
}

function observeDelay(deps: StorageDeps, events: readonly UnifiedEvent[]): void {
  let oldest = Number.POSITIVE_INFINITY;
  for (const event of events) oldest = Math.min(oldest, event.ingestedAt);
  if (oldest !== Number.POSITIVE_INFINITY)
    deps.metrics.delaySeconds.observe(Math.max(0, deps.clock.nowMs() - oldest) / 1000);
}

function countReasons(rejected: readonly { readonly reason: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of rejected) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
