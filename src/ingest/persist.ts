import { isPermanentFailure } from '../db/failure-kind.ts';
import { DependencyError } from '../errors/errors.ts';
import { raceAbort } from '../lib/abort.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Logger } from '../lib/logger.ts';
import { pause } from '../lib/pause.ts';

const RETRY = { minMs: 100, maxMs: 5_000 };

/**
 * Does `work` until it succeeds, for work that must be done before a room can go on and that an outage only delays.
 * Rejects when `signal` is aborted, and at once for failures that trying again cannot mend.
 */
export async function persist<T>(
  deps: { readonly logger: Logger; readonly random: () => number },
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await raceAbort(work(), signal); // a query that hangs must not hold up a stop
    } catch (error) {
      signal.throwIfAborted();
      if (isPermanentFailure(error) || (error instanceof DependencyError && !error.retryable)) throw error;
      if (failures === 1) deps.logger.warn({ err: error }, 'ingest.dependency_unreachable');
      await pause(backoffMs(failures, deps.random, RETRY), signal);
    }
  }
}
