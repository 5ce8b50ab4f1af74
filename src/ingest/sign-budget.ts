import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { blockSignKey, type SignBucket, takeSignToken } from '../db/sign-budget.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { SourceError } from './live-source.ts';

/** The budget of requests to the sign server under one key, shared by every worker that uses the key. */
export interface SignBudget {
  /**
   * Takes one request's place.
   * @throws SourceError RATE_LIMITED with `retryAfterMs` when none is left.
   */
  take(): Promise<void>;
  /** No more requests until then (milliseconds since the epoch): the sign server said so. Never shortens a block. */
  block(untilMs: number): Promise<void>;
}

export interface SignBudgetOptions {
  /** The key; null for requests without one, which share one budget. */
  readonly signKey?: string | null;
  readonly perMinute?: number;
  readonly logger?: Logger;
}

/** The anonymous plan of the sign server allows about ten connections a minute. */
export const SIGN_REQUESTS_PER_MINUTE = 10;

/** Requests that may be made at once after a quiet minute, as a share of a minute's. */
const BURST_SHARE = 1;

/**
 * The budget kept in PostgreSQL, so that it holds over all workers and over restarts. While PostgreSQL is out of reach a
 * bucket of this process alone stands in: rooms can still be joined again, at the same rate per process.
 */
export function createSignBudget(
  deps: { readonly db: Kysely<Database>; readonly clock: Clock },
  options: SignBudgetOptions = {},
): SignBudget {
  const perMinute = options.perMinute ?? SIGN_REQUESTS_PER_MINUTE;
  const bucket: SignBucket = {
    keyHash: createHash('sha256')
      .update(options.signKey ?? '')
      .digest(),
    capacity: Math.max(1, perMinute * BURST_SHARE),
    tokensPerSecond: perMinute / 60,
  };
  const local = new LocalBucket(deps.clock, bucket);
  const standIn = (error: unknown) => {
    options.logger?.warn({ err: error }, 'ingest.sign_budget_unreachable');
  };
  return {
    async take() {
      const localWaitMs = local.waitMs();
      if (localWaitMs > 0) throw usedUp(localWaitMs);
      const outcome = await takeSignToken(deps.db, bucket).catch((error: unknown) => {
        standIn(error);
        return null;
      });
      // Every request is counted here too, so that the stand-in does not begin with a full bucket.
      local.take();
      if (outcome?.kind === 'WAIT') throw usedUp(outcome.waitMs);
    },
    async block(untilMs) {
      local.block(untilMs);
      await blockSignKey(deps.db, { bucket, untilMs }).catch(standIn);
    },
  };
}

function usedUp(waitMs: number): SourceError {
  return new SourceError('RATE_LIMITED', "The sign key's budget is used up for now.", {
    retryAfterMs: waitMs,
  });
}

/** This process's own view of the bucket. */
class LocalBucket {
  readonly #clock: Clock;
  readonly #bucket: SignBucket;
  #tokens: number;
  #refilledAt: number;
  #blockedUntil: number = 0;

  constructor(clock: Clock, bucket: SignBucket) {
    this.#clock = clock;
    this.#bucket = bucket;
    this.#tokens = bucket.capacity;
    this.#refilledAt = clock.nowMs();
  }

  /** 0 when a token can be taken now. */
  waitMs(): number {
    const nowMs = this.#clock.nowMs();
    const passedMs = Math.max(0, nowMs - this.#refilledAt);
    this.#tokens = Math.min(
      this.#bucket.capacity,
      this.#tokens + (passedMs / 1000) * this.#bucket.tokensPerSecond,
    );
    this.#refilledAt = nowMs;
    const refillMs = Math.max(0, ((1 - this.#tokens) / this.#bucket.tokensPerSecond) * 1000);
    return Math.ceil(Math.max(refillMs, this.#blockedUntil - nowMs));
  }

  take(): void {
    this.#tokens -= 1;
  }

  block(untilMs: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, untilMs);
  }
}
