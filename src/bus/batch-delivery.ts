import { DependencyError } from '../errors/errors.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Logger } from '../lib/logger.ts';
import { pause } from '../lib/pause.ts';
import { failureReason } from './dead-letter-text.ts';
import { CRASHED_ATTEMPTS_MAX } from './limits.ts';
import type { ConsumedDelivery, ConsumeOptions, HandlerResult } from './port.ts';

/** A delivery the group gave up on. */
export interface GivenUp {
  readonly delivery: ConsumedDelivery;
  readonly reason: string;
}

/** What delivering needs of an adapter. */
export interface BatchDeliveryDeps {
  readonly consume: ConsumeOptions;
  readonly logger: Logger;
  readonly random: () => number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** Aborted when the shard is to be given up: no further attempt begins. */
  readonly signal: AbortSignal;
  /** Records the dead letters, then acknowledges all of `batch`. A prefix of what is in hand, always. */
  readonly settle: (batch: readonly ConsumedDelivery[], givenUp: readonly GivenUp[]) => Promise<void>;
  /** Records that the next attempt at `batch` has the number its deliveries now carry. */
  readonly attempted: (batch: readonly ConsumedDelivery[]) => Promise<void>;
}

/**
 * Delivers `batch` until every delivery in it is settled. The policy of both adapters:
 * - a batch whose handler throws comes again after a back-off, with the attempt one higher;
 * - after `attemptsMax` failed attempts its deliveries come one by one; one that fails alone, having failed `attemptsMax`
 *   times in all, becomes a dead letter and the rest goes on;
 * - a retryable DependencyError is nobody's fault: it is tried again for as long as it takes, without raising the attempt.
 * Returns `'LEFT'` when the signal ended it: what was not settled stays unacknowledged.
 */
export async function deliverBatch(
  deps: BatchDeliveryDeps,
  batch: readonly ConsumedDelivery[],
): Promise<'SETTLED' | 'LEFT'> {
  const { attemptsMax } = deps.consume;
  let rest = batch;
  while (rest.length > 0) {
    if (deps.signal.aborted) return 'LEFT';
    const part = nextPart(rest, attemptsMax);
    const after = rest.slice(part.length);
    const first = part[0];
    if (first !== undefined && first.attempt > attemptsMax + CRASHED_ATTEMPTS_MAX) {
      await deps.settle(part, [{ delivery: first, reason: 'its consumers died while it was in hand' }]);
      // Only the first can have been in hand, the others were counted with it: each is tried alone.
      rest = after.map((delivery) => ({ ...delivery, attempt: Math.min(delivery.attempt, attemptsMax + 1) }));
      continue;
    }
    const failed = await attemptPart(deps, part);
    if (failed === 'LEFT') return 'LEFT';
    rest = failed.length === 0 ? after : [...failed, ...after];
  }
  return 'SETTLED';
}

/** The leading deliveries that go to the handler together: all that have attempts left, else the first alone. */
function nextPart(rest: readonly ConsumedDelivery[], attemptsMax: number): readonly ConsumedDelivery[] {
  const spent = rest.findIndex((delivery) => delivery.attempt > attemptsMax);
  if (spent === -1) return rest;
  return rest.slice(0, Math.max(spent, 1));
}

/** One attempt. Returns what is still to be delivered of `part`, with its new attempt number, after the back-off. */
async function attemptPart(
  deps: BatchDeliveryDeps,
  part: readonly ConsumedDelivery[],
): Promise<readonly ConsumedDelivery[] | 'LEFT'> {
  let outages = 0;
  for (;;) {
    const outcome = await callHandler(deps, part);
    if (outcome.kind === 'DONE') {
      await deps.settle(part, rejectedOf(part, outcome.result));
      return [];
    }
    if (!outcome.outage) return failPart(deps, part, outcome.reason);
    outages += 1;
    await backOff(deps, outages);
    if (deps.signal.aborted) return 'LEFT';
  }
}

/** What a failed attempt leads to: a dead letter for a lone delivery without attempts left, else the next attempt. */
async function failPart(
  deps: BatchDeliveryDeps,
  part: readonly ConsumedDelivery[],
  reason: string,
): Promise<readonly ConsumedDelivery[] | 'LEFT'> {
  const [first] = part;
  if (first === undefined) return [];
  if (part.length === 1 && first.attempt >= deps.consume.attemptsMax) {
    await deps.settle(part, [{ delivery: first, reason }]);
    return [];
  }
  // Without the signal's check the next owner would find one attempt more than there was.
  if (deps.signal.aborted) return 'LEFT';
  const again = part.map((delivery) => ({ ...delivery, attempt: delivery.attempt + 1 }));
  await deps.attempted(again);
  await backOff(deps, first.attempt);
  return deps.signal.aborted ? 'LEFT' : again;
}

type HandlerOutcome =
  | { readonly kind: 'DONE'; readonly result: HandlerResult }
  | { readonly kind: 'FAILED'; readonly reason: string; readonly outage: boolean };

/** Calls the handler. Anything it throws is its failure, to be told in words without personal data. */
async function callHandler(
  deps: BatchDeliveryDeps,
  part: readonly ConsumedDelivery[],
): Promise<HandlerOutcome> {
  const { group, consumerId, handler } = deps.consume;
  try {
    return { kind: 'DONE', result: await handler(part) };
  } catch (error) {
    const outage = error instanceof DependencyError && error.retryable;
    const reason = failureReason(error);
    deps.logger.warn(
      { group, consumerId, events: part.length, attempt: part[0]?.attempt, outage, reason },
      'bus.batch_failed',
    );
    return { kind: 'FAILED', reason, outage };
  }
}

function rejectedOf(part: readonly ConsumedDelivery[], result: HandlerResult): readonly GivenUp[] {
  if (result.rejected.length === 0) return [];
  const reasons = new Map(result.rejected.map(({ cursor, reason }) => [cursor, reason]));
  return part.flatMap((delivery) => {
    const reason = reasons.get(delivery.cursor);
    return reason === undefined ? [] : [{ delivery, reason }];
  });
}

function backOff(deps: BatchDeliveryDeps, failures: number): Promise<void> {
  return pause(
    backoffMs(failures, deps.random, { minMs: deps.retryBaseMs, maxMs: deps.retryMaxMs }),
    deps.signal,
  );
}
