import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Registry } from 'prom-client';
import type { EventBus } from '../bus/port.ts';
import { selectWantedChannels, type WantedChannel } from '../db/channel-connection.ts';
import type { Database } from '../db/connect.ts';
import type { Provider } from '../events/unified-event.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { withinMs } from '../lib/pause.ts';
import { sealContext } from '../privacy/context.ts';
import { open } from '../privacy/envelope.ts';
import type { Vault } from '../privacy/vault.ts';
import { createIngestMetrics, type IngestMetrics } from './ingest-metrics.ts';
import { type IngestOptions, supervisorOptions } from './ingest-options.ts';
import type { LiveSource } from './live-source.ts';
import type { CoalescedCounts } from './room/event-queue.ts';
import { RoomLease } from './room/room-lease.ts';
import { RoomWorker } from './room/room-worker.ts';
import { tidyAbandonedChannels } from './room/take-over.ts';
import { type Scheduler, systemScheduler } from './scheduler.ts';

/** A channel as `sourceFor` is asked for it. */
export interface IngestChannel {
  readonly id: ChannelId;
  readonly provider: Provider;
  readonly handle: string;
  /** The channel's own key at the sign server, in clear; null: use the installation's. */
  readonly signKey: string | null;
}

export interface IngestDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  sourceFor(channel: IngestChannel): LiveSource;
  /** Numbers from 0 to below 1, for jitter. */
  readonly random: () => number;
  /** The event loop's timers when left out. */
  readonly scheduler?: Scheduler;
}

const POLL_MS = 5_000;
const LEASE_MS = 10_000;

/** A room costs a socket and up to 8 MB of queue under pressure. */
const ROOMS_MAX = 200;

/**
 * Of the time within which a dead worker's rooms must be taken over, the lease runs for this share, and the rest is for
 * the others to notice.
 */
const LEASE_SHARE = 0.75;
const COMPETE_SHARE = 0.2;

/** How long a stop waits for a look at the database that is under way, in milliseconds. */
const RECONCILE_PATIENCE_MS = 250;

/** The topic on which a change of a channel's wishes is told. */
const CHANNELS_TOPIC = 'channels';

export interface IngestService {
  /** Ends every session cleanly and gives the rooms free; within about 3 s. Idempotent. */
  stop(): Promise<void>;
}

/** Starts a worker that keeps wanted channels connected: as many as it can get the leases of. */
export async function startIngest(deps: IngestDeps, options: IngestOptions = {}): Promise<IngestService> {
  const service = new Ingest(deps, options);
  await service.start();
  return service;
}

interface Held {
  /** What the worker was started for; another handle or key needs another worker. */
  readonly channel: WantedChannel;
  readonly worker: RoomWorker;
  /** It has been told to stop. */
  leaving: boolean;
}

class Ingest implements IngestService {
  readonly #deps: IngestDeps;
  readonly #options: IngestOptions;
  readonly #scheduler: Scheduler;
  readonly #metrics: IngestMetrics;
  readonly #ownerId = `ingest-${randomUUID()}`;
  readonly #held = new Map<ChannelId, Held>();
  /** Counts of rooms that are gone. */
  #coalescedBefore: CoalescedCounts = { JOIN: 0, LIKE: 0, ROOM_USER: 0, RAW: 0 };
  #wanted: readonly WantedChannel[] = [];
  #unlisten: () => Promise<void> = async () => {};
  #cancelPoll: () => void = () => {};
  #stopping: boolean = false;
  #reconciling: Promise<void> | null = null;
  #again: boolean = false;

  constructor(deps: IngestDeps, options: IngestOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#scheduler = deps.scheduler ?? systemScheduler;
    this.#metrics = createIngestMetrics(deps.registry, {
      rooms: () => [...this.#held.values()].map(({ worker }) => worker.gauges()),
      coalescedBefore: () => this.#coalescedBefore,
    });
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#deps.bus.listen(CHANNELS_TOPIC, () => void this.#reconcile());
    await this.#reconcile();
    await this.#tidy();
    this.#pollLater();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelPoll();
    await this.#unlisten();
    this.#unlisten = async () => {};
    // A look at the database that hangs gives its room back by itself when it comes to an end.
    if (this.#reconciling !== null) await withinMs(this.#reconciling, RECONCILE_PATIENCE_MS);
    await Promise.all([...this.#held.values()].map(({ worker }) => worker.stop()));
  }

  /** What it leaves undone, the next start does. */
  async #tidy(): Promise<void> {
    try {
      await tidyAbandonedChannels(this.#deps, { ownerId: this.#ownerId, provider: 'TIKTOK' });
    } catch (error) {
      this.#deps.logger.warn({ err: error }, 'ingest.abandoned_channels_left');
    }
  }

  #pollLater(): void {
    const leaseMs = this.#options.leaseMs ?? LEASE_MS;
    const pollMs = Math.min(this.#options.pollMs ?? POLL_MS, leaseMs * COMPETE_SHARE);
    this.#cancelPoll = this.#scheduler.after(pollMs, () => {
      void this.#reconcile().then(() => {
        if (!this.#stopping) this.#pollLater();
      });
    });
  }

  /** Brings what is held in line with what is wanted. One at a time; asked again meanwhile, it goes round again. */
  #reconcile(): Promise<void> {
    if (this.#reconciling !== null) {
      this.#again = true;
      return this.#reconciling;
    }
    this.#reconciling = this.#reconcileRounds().finally(() => {
      this.#reconciling = null;
    });
    return this.#reconciling;
  }

  /** Never rejects. */
  async #reconcileRounds(): Promise<void> {
    do {
      this.#again = false;
      if (this.#stopping) return;
      try {
        this.#wanted = await selectWantedChannels(this.#deps.db, { provider: 'TIKTOK', limit: WANTED_MAX });
      } catch (error) {
        // The wishes known last stand: rooms must be taken over also while PostgreSQL is away.
        this.#deps.logger.warn({ err: error }, 'ingest.wishes_unreadable');
      }
      this.#dropUnwanted();
      await this.#takeWanted();
    } while (this.#again);
  }

  #dropUnwanted(): void {
    const wanted = new Map(this.#wanted.map((channel) => [channel.id, channel]));
    for (const [id, held] of this.#held) {
      const now = wanted.get(id);
      if (held.leaving || (now !== undefined && sameWish(now, held.channel))) continue;
      held.leaving = true;
      // With another handle or key it is taken anew at once.
      void held.worker.stop().then(() => this.#reconcile());
    }
  }

  async #takeWanted(): Promise<void> {
    const roomsMax = this.#options.roomsMax ?? ROOMS_MAX;
    for (const channel of this.#wanted) {
      if (this.#stopping || this.#held.size >= roomsMax) return;
      if (this.#held.has(channel.id)) continue;
      try {
        await this.#take(channel);
      } catch (error) {
        this.#deps.logger.warn({ err: error, channelId: channel.id }, 'ingest.room_not_taken');
      }
    }
  }

  /** Competes for the room, and starts to work on it when it is won. */
  async #take(channel: WantedChannel): Promise<void> {
    const { logger } = this.#deps;
    const ttlMs = (this.#options.leaseMs ?? LEASE_MS) * LEASE_SHARE;
    const lease = await RoomLease.acquire(
      { ...this.#deps, scheduler: this.#scheduler },
      { channelId: channel.id, ownerId: this.#ownerId, ttlMs },
    );
    if (lease === null) return;
    try {
      const signKey = await this.#signKeyOf(channel);
      if (this.#stopping) {
        await lease.release();
        return;
      }
      const source = this.#deps.sourceFor({ ...channel, signKey });
      this.#start(channel, lease, source);
    } catch (error) {
      await lease.release();
      throw error;
    }
    logger.info({ channelId: channel.id }, 'ingest.room_taken');
  }

  #start(channel: WantedChannel, lease: RoomLease, source: LiveSource): void {
    const worker = new RoomWorker(
      { ...this.#deps, scheduler: this.#scheduler, metrics: this.#metrics, lease, source },
      {
        channelId: channel.id,
        handle: channel.handle,
        supervisor: supervisorOptions(this.#options),
        development: this.#options.development ?? false,
      },
    );
    this.#held.set(channel.id, { channel, worker, leaving: false });
    // One that ended by itself (lease lost, failure) is competed for again at the next poll, not at once.
    void worker.done.then(() => {
      this.#coalescedBefore = sum(this.#coalescedBefore, worker.gauges().coalesced);
      this.#held.delete(channel.id);
    });
  }

  async #signKeyOf(channel: WantedChannel): Promise<string | null> {
    if (channel.signKey === null) return null;
    const keys = await this.#deps.vault.dataKeys([channel.id], { create: false });
    const key = keys.get(channel.id);
    if (key === undefined) return null; // the channel's key was destroyed, and this with it
    return open(key, sealContext.signKey(channel.id), channel.signKey).toString('utf8');
  }
}

/** Wanted channels read at once. */
const WANTED_MAX = 10_000;

function sameWish(one: WantedChannel, other: WantedChannel): boolean {
  const sameKey =
    one.signKey === null || other.signKey === null
      ? one.signKey === other.signKey
      : one.signKey.equals(other.signKey);
  return one.handle === other.handle && sameKey;
}

function sum(one: CoalescedCounts, other: CoalescedCounts): CoalescedCounts {
  return {
    JOIN: one.JOIN + other.JOIN,
    LIKE: one.LIKE + other.LIKE,
    ROOM_USER: one.ROOM_USER + other.ROOM_USER,
    RAW: one.RAW + other.RAW,
  };
}
