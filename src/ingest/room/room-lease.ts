import type { EventBus, Lease, LeaseProof } from '../../bus/port.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Scheduler } from '../scheduler.ts';

/** The name of a channel's lease on the bus. */
export function roomLeaseName(channelId: ChannelId): string {
  return `room:${channelId}`;
}

/** Renewals per term: two may fail before the lease runs out. */
const RENEWALS_PER_TERM = 3;

export interface RoomLeaseDeps {
  readonly bus: EventBus;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
}

/**
 * A worker's hold on one room, renewed until it is given back or lost. A renewal that cannot be asked for (the bus is
 * away) loses nothing yet: the bus refuses appends under a lease that somebody else has taken since.
 */
export class RoomLease {
  readonly #deps: RoomLeaseDeps;
  readonly #lease: Lease;
  readonly #ttlMs: number;
  readonly #lost = Promise.withResolvers<void>();
  #held: boolean = true;
  #cancel: () => void = () => {};

  private constructor(deps: RoomLeaseDeps, lease: Lease, ttlMs: number) {
    this.#deps = deps;
    this.#lease = lease;
    this.#ttlMs = ttlMs;
    this.#renewLater();
  }

  /** Competes for the room; null when another worker has it. */
  static async acquire(
    deps: RoomLeaseDeps,
    request: { readonly channelId: ChannelId; readonly ownerId: string; readonly ttlMs: number },
  ): Promise<RoomLease | null> {
    const { ownerId, ttlMs } = request;
    const lease = await deps.bus.acquireLease({ name: roomLeaseName(request.channelId), ownerId, ttlMs });
    return lease === null ? null : new RoomLease(deps, lease, ttlMs);
  }

  /** What appends carry. */
  get proof(): LeaseProof {
    const { name, ownerId, epoch } = this.#lease;
    return { name, ownerId, epoch };
  }

  /** Resolves when the lease is another's, or forgotten by the bus: stop publishing at once. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** Gives the room free for others. Idempotent; never rejects. */
  async release(): Promise<void> {
    this.#cancel();
    if (!this.#held) return;
    this.#held = false;
    // A bus out of reach: the lease runs out by itself.
    await this.#lease.release().catch(() => {});
  }

  #renewLater(): void {
    this.#cancel = this.#deps.scheduler.after(this.#ttlMs / RENEWALS_PER_TERM, () => void this.#renew());
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    try {
      const renewed = await this.#lease.renew();
      if (!renewed) {
        this.#held = false;
        this.#lost.resolve();
      }
    } catch (error) {
      this.#deps.logger.debug({ err: error }, 'ingest.lease_renewal_failed');
    }
    if (this.#held) this.#renewLater();
  }
}
