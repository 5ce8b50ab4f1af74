import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import { selectStoredSequence } from '../../db/channel-sequence.ts';
import type { Database } from '../../db/connect.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { withinMs } from '../../lib/pause.ts';
import type { Vault } from '../../privacy/vault.ts';
import { ChannelRecorder } from '../channel-recorder.ts';
import type { IngestMetrics, RoomGauges } from '../ingest-metrics.ts';
import type { LiveSource } from '../live-source.ts';
import { persist } from '../persist.ts';
import type { Scheduler } from '../scheduler.ts';
import { Supervisor, type SupervisorOptions } from '../supervisor/supervisor.ts';
import { AppendLoop } from './append-loop.ts';
import { DeadLetterOutbox } from './dead-letter-outbox.ts';
import { createEventQueue, type EventQueue, QUEUE_EVENTS_MAX } from './event-queue.ts';
import { Room } from './room.ts';
import type { RoomLease } from './room-lease.ts';
import { takeOver } from './take-over.ts';

/** How often idle gift streaks are looked for, in milliseconds. */
const TICK_MS = 1_000;

/** Parts of a clean stop, in milliseconds; together below the 3 s that a worker may take. */
const LINK_STOP_MS = 2_200;
const DRAIN_MS = 500;
const RECORD_MS = 250;

export interface RoomWorkerDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  readonly random: () => number;
  readonly metrics: IngestMetrics;
  readonly source: LiveSource;
  readonly lease: RoomLease;
}

export interface RoomWorkerOptions {
  readonly channelId: ChannelId;
  readonly handle: string;
  readonly supervisor: SupervisorOptions;
  readonly development: boolean;
}

/**
 * One worker's work on one room, for as long as it holds the room's lease: source, normaliser, queue and bus in a row,
 * the supervisor above them, the recorder beside them. When the lease is lost it publishes nothing more and ends.
 */
export class RoomWorker {
  readonly #deps: RoomWorkerDeps;
  readonly #options: RoomWorkerOptions;
  readonly #queue: EventQueue = createEventQueue();
  readonly #recorder: ChannelRecorder;
  readonly #outbox: DeadLetterOutbox;
  readonly #stopping = new AbortController();
  #supervisor: Supervisor | null = null;
  /** Resolves, and never rejects, when the work is over and the lease given back or lost. */
  readonly done: Promise<void>;

  constructor(deps: RoomWorkerDeps, options: RoomWorkerOptions) {
    this.#deps = deps;
    this.#options = options;
    const { bus, clock, db, lease, logger, metrics, random } = deps;
    const { channelId } = options;
    this.#outbox = new DeadLetterOutbox({ bus, clock, metrics }, channelId);
    this.#recorder = new ChannelRecorder({ db, bus, logger, random, epoch: lease.proof.epoch }, channelId);
    this.done = this.#run();
  }

  /** What the metrics ask. */
  gauges(): RoomGauges {
    const { size, coalesced } = this.#queue;
    const state = this.#supervisor?.state ?? 'STOPPED';
    return { state, queued: size, pressure: Math.min(1, size / QUEUE_EVENTS_MAX), coalesced };
  }

  /** Ends the session cleanly, publishes what is left, gives the room free. At most about 3 s; idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.done;
  }

  async #run(): Promise<void> {
    const { lease, logger } = this.#deps;
    const { channelId } = this.#options;
    try {
      const outcome = await this.#work();
      if (outcome === 'LEASE_LOST') logger.warn({ channelId }, 'ingest.lease_lost');
    } catch (error) {
      if (!this.#stopping.signal.aborted) logger.error({ err: error, channelId }, 'ingest.room_failed');
    } finally {
      this.#queue.close();
      await this.#recorder.stop(RECORD_MS);
      await lease.release();
    }
  }

  async #work(): Promise<'STOPPED' | 'LEASE_LOST'> {
    const { lease } = this.#deps;
    const { channelId } = this.#options;
    const stopping = this.#stopping.signal;
    const stopAsked = aborted(stopping);
    const floor = await persist(this.#deps, stopping, () => this.#takeOver());
    const loop = new AppendLoop({ ...this.#deps, queue: this.#queue, lease: lease.proof }, channelId, floor);
    const room = this.#createRoom(loop);
    const supervisor = this.#createSupervisor(room);
    const cancelTicks = this.#tick(room);
    try {
      supervisor.start();
      const lost = Promise.race([lease.lost, loop.finished]).then(() => 'LEASE_LOST' as const);
      const outcome = await Promise.race([stopAsked.then(() => 'STOPPED' as const), lost]);
      if (outcome === 'STOPPED') {
        await withinMs(supervisor.stop(), LINK_STOP_MS);
        await this.#drain(loop);
        const lostFrom = loop.abort();
        if (lostFrom !== null) room.lost(lostFrom);
      }
      return outcome;
    } finally {
      // After a clean stop all of this has been done. Otherwise nothing may be published or written from here on, not
      // even the session's end: the room may be another worker's already.
      loop.abort();
      if (!stopping.aborted) this.#recorder.abandon();
      cancelTicks();
      await withinMs(supervisor.stop(), LINK_STOP_MS);
    }
  }

  /** Puts in order what a worker that died in this room left. Returns the highest sequence stored. */
  async #takeOver(): Promise<number> {
    const { channelId } = this.#options;
    await takeOver(this.#deps, { channelId, provider: this.#deps.source.provider });
    return selectStoredSequence(this.#deps.db, channelId);
  }

  #createRoom(loop: AppendLoop): Room {
    const { channelId, development } = this.#options;
    const parts = { queue: this.#queue, recorder: this.#recorder, outbox: this.#outbox, loop };
    return new Room({ ...this.#deps, ...parts }, { channelId, development });
  }

  #createSupervisor(room: Room): Supervisor {
    const { handle, supervisor: options } = this.#options;
    this.#supervisor = new Supervisor({ ...this.#deps, room }, handle, options);
    return this.#supervisor;
  }

  /** Carries the last events to the bus. */
  async #drain(loop: AppendLoop): Promise<void> {
    this.#queue.close();
    await withinMs(Promise.all([loop.finished, this.#outbox.settled()]), DRAIN_MS);
  }

  #tick(room: Room): () => void {
    const { scheduler } = this.#deps;
    let cancel: () => void = () => {};
    const next = () => {
      cancel = scheduler.after(TICK_MS, () => {
        room.tick();
        next();
      });
    };
    next();
    return () => cancel();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
