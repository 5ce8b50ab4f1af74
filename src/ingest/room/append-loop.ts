import type { AppendOutcome, EventBus, LeaseProof } from '../../bus/port.ts';
import { StaleLeaseError } from '../../bus/port.ts';
import { DependencyError } from '../../errors/errors.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { nextTurn, pause } from '../../lib/pause.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { NormalisedItem } from '../normalise/normaliser.ts';
import { mergeStateChanges } from '../normalise/normaliser-state.ts';
import type { EventQueue } from './event-queue.ts';

/** Events appended in one step: a step is atomic, and others wait for it. */
const APPEND_EVENTS_MAX = 500;

/** Pauses while the bus is out of reach: short at first, because a restart of it takes a second or two. */
const RETRY = { minMs: 50, maxMs: 2_000 };

export interface AppendLoopDeps {
  readonly bus: EventBus;
  readonly queue: EventQueue;
  /** The lease to append under. */
  readonly lease: LeaseProof;
  readonly metrics: IngestMetrics;
  readonly logger: Logger;
  readonly random: () => number;
}

/**
 * Carries events from the queue to the bus, in order, one step at a time. While the bus is out of reach it tries the same
 * step again and again, so the queue fills, and through it the socket is held back. What had been appended before an
 * answer was lost is refused as a duplicate by the bus.
 */
export class AppendLoop {
  readonly #deps: AppendLoopDeps;
  readonly #channelId: ChannelId;
  readonly #stopping = new AbortController();
  /** The highest sequence known to be given out: a bus that lost its memory continues above it. */
  #sequenceFloor: number;
  /** Taken from the queue, and not known to be on the bus. */
  #inHand: readonly NormalisedItem[] = [];
  #idle: PromiseWithResolvers<void> | null = null;
  /** Resolves when the loop is over: the queue closed and empty, `abort` called, or the lease lost. */
  readonly finished: Promise<'DRAINED' | 'ABORTED' | 'LEASE_LOST'>;

  constructor(deps: AppendLoopDeps, channelId: ChannelId, sequenceFloor: number) {
    this.#deps = deps;
    this.#channelId = channelId;
    this.#sequenceFloor = sequenceFloor;
    this.finished = this.#run();
  }

  /** Resolves when everything queued so far is on the bus, or the loop is over. */
  async idle(): Promise<void> {
    if (this.#inHand.length === 0 && this.#deps.queue.size === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  /** Gives up what is not on the bus yet. Returns when the oldest of it arrived; null when there is nothing. */
  abort(): number | null {
    const { queue } = this.#deps;
    this.#stopping.abort();
    queue.close();
    const lost = [...this.#inHand, ...queue.take(Number.POSITIVE_INFINITY)];
    this.#inHand = [];
    if (lost.length === 0) return null;
    return lost.reduce((oldest, { draft }) => Math.min(oldest, draft.ingestedAt), Number.POSITIVE_INFINITY);
  }

  async #run(): Promise<'DRAINED' | 'ABORTED' | 'LEASE_LOST'> {
    const { queue } = this.#deps;
    try {
      for (;;) {
        await queue.whenNotEmpty();
        if (this.#stopping.signal.aborted) return 'ABORTED';
        const items = queue.take(APPEND_EVENTS_MAX);
        if (items.length === 0) return 'DRAINED';
        this.#inHand = items;
        const outcome = await this.#append(items);
        if (outcome !== 'APPENDED') return outcome;
        this.#inHand = [];
        if (queue.size === 0) this.#tellIdle();
        // A bus in this process answers at once; others must get their turn between two steps.
        else await nextTurn();
      }
    } finally {
      queue.close();
      this.#tellIdle();
    }
  }

  async #append(items: readonly NormalisedItem[]): Promise<'APPENDED' | 'ABORTED' | 'LEASE_LOST'> {
    const { logger, random } = this.#deps;
    for (let failures = 0; ; ) {
      if (this.#stopping.signal.aborted) return 'ABORTED';
      try {
        return await this.#appendOnce(items);
      } catch (error) {
        if (!(error instanceof DependencyError && error.retryable)) throw error;
        failures += 1;
        if (failures === 1) logger.warn({ err: error, channelId: this.#channelId }, 'ingest.bus_unreachable');
        await pause(backoffMs(failures, random, RETRY), this.#stopping.signal);
      }
    }
  }

  async #appendOnce(items: readonly NormalisedItem[]): Promise<'APPENDED' | 'LEASE_LOST'> {
    const { bus, lease } = this.#deps;
    const stateChanges = mergeStateChanges(items.map((item) => item.stateChanges));
    try {
      const outcomes = await bus.append({
        channelId: this.#channelId,
        lease,
        sequenceFloor: this.#sequenceFloor,
        events: items.map((item) => item.draft),
        ...(stateChanges === undefined ? {} : { stateChanges }),
      });
      this.#record(items, outcomes);
      return 'APPENDED';
    } catch (error) {
      if (error instanceof StaleLeaseError) return 'LEASE_LOST';
      throw error;
    }
  }

  #record(items: readonly NormalisedItem[], outcomes: readonly AppendOutcome[]): void {
    const { metrics } = this.#deps;
    for (const [index, outcome] of outcomes.entries()) {
      const type = items[index]?.draft.eventType;
      if (type === undefined) continue;
      metrics.events.inc({ type, outcome: outcome.kind === 'APPENDED' ? 'appended' : 'duplicate' });
      if (outcome.kind === 'APPENDED') {
        this.#sequenceFloor = Math.max(this.#sequenceFloor, outcome.sequence);
      }
    }
  }

  #tellIdle(): void {
    this.#idle?.resolve();
    this.#idle = null;
  }
}
