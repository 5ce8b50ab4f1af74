import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { pause, withinMs } from '../../lib/pause.ts';
import type { ConsumeOptions, Consumer, ConsumerLag, Lease } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import type { RedisDeadLetters } from './dead-letters.ts';
import { BEAT_MEMBER_SCRIPT, GROUP_LAG_SCRIPT } from './group-scripts.ts';
import type { RedisKeys } from './keys.ts';
import { acquireRedisLease } from './leases.ts';
import { redisFailure } from './redis-error.ts';
import { ShardReader } from './shard-reader.ts';

/** How many times a lease is renewed within its time to live. */
const RENEWALS_PER_TTL = 4;

/** What a consumer needs. */
export interface GroupConsumerDeps {
  readonly connections: RedisConnections;
  readonly keys: RedisKeys;
  readonly deadLetters: RedisDeadLetters;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly stopWaitMs: number;
  /** How long a dead member's shards stay with it, in milliseconds. */
  readonly ownershipTtlMs: number;
}

/** A shard this member owns. `leaving` when it is being given up, after the batch in hand. */
interface Ownership {
  readonly lease: Lease;
  readonly reader: ShardReader;
  renewedAt: number;
  leaving: boolean;
}

/**
 * A member of a consumer group. Every quarter of the leases' time to live it tells that it lives, renews its shards'
 * leases, and takes or gives up shards until it has its fair share: a member that joined gets shards as soon as the others
 * have finished their batches, those of a dead one go to the rest when its leases have run out.
 */
export class GroupConsumer implements Consumer {
  readonly #deps: GroupConsumerDeps;
  readonly #options: ConsumeOptions;
  readonly #owned = new Map<number, Ownership>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #started = Promise.withResolvers<void>();
  #failing: boolean = false;

  constructor(deps: GroupConsumerDeps, options: ConsumeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves after the first try to get shards, whether Redis was there or not. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** @throws DependencyError when Redis is out of reach. */
  async lag(): Promise<ConsumerLag> {
    const { connections, keys } = this.#deps;
    const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
    const answers = await Promise.all(
      shards.map(async (shard) => {
        const group = keys.group(this.#options.group);
        // The shape is what GROUP_LAG_SCRIPT returns.
        return (await connections.run(GROUP_LAG_SCRIPT, [keys.stream(shard)], [group])) as [number, number];
      }),
    );
    return {
      pendingEvents: answers.reduce((sum, [pending]) => sum + pending, 0),
      oldestMs: Math.max(...answers.map(([, oldestMs]) => oldestMs)),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    for (const { reader } of this.#owned.values()) reader.stop();
    await this.#finishBatches();
    await Promise.all([...this.#owned].map(([shard, ownership]) => this.#returnLease(shard, ownership)));
    await this.#leaveGroup();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#tick();
        this.#failing = false;
      } catch (error) {
        this.#reportFailure(error);
      }
      this.#dropExpired();
      this.#started.resolve();
      await pause(this.#renewEveryMs(), signal);
    }
  }

  #renewEveryMs(): number {
    return this.#deps.ownershipTtlMs / RENEWALS_PER_TTL;
  }

  /** Tells of the first failure in a row; Redis being away is reported by every part that needs it. */
  #reportFailure(error: unknown): void {
    const failure = redisFailure(error);
    if (!this.#failing) {
      this.#deps.logger.warn({ group: this.#options.group, err: failure }, 'bus.group_failed');
    }
    this.#failing = true;
  }

  async #renewAll(): Promise<void> {
    await Promise.all([...this.#owned].map(([shard, ownership]) => this.#renew(shard, ownership)));
  }

  async #tick(): Promise<void> {
    const { connections, keys, ownershipTtlMs } = this.#deps;
    const { group, consumerId } = this.#options;
    await this.#renewAll();
    // The shape is what BEAT_MEMBER_SCRIPT returns.
    const [members, place] = (await connections.run(
      BEAT_MEMBER_SCRIPT,
      [keys.members(group)],
      [consumerId, ownershipTtlMs],
    )) as [number, number];
    const share = Math.floor(keys.shards / members) + (place < keys.shards % members ? 1 : 0);
    const kept = [...this.#owned].filter(([, { leaving }]) => !leaving);
    for (const [shard, ownership] of kept.slice(share)) this.#release(shard, ownership);
    await this.#takeFree(share);
  }

  async #renew(shard: number, ownership: Ownership): Promise<void> {
    // The time before asking: the lease lasts at least from there.
    const askedAt = this.#deps.clock.nowMs();
    if (await ownership.lease.renew()) {
      ownership.renewedAt = askedAt;
      return;
    }
    this.#drop(shard, ownership);
  }

  /** Takes free shards up to `share`, beginning at another place than its fellows so that they seldom meet. */
  async #takeFree(share: number): Promise<void> {
    const { connections, keys, clock, ownershipTtlMs } = this.#deps;
    const { group, consumerId } = this.#options;
    const first = Math.floor(this.#deps.random() * keys.shards);
    for (let step = 0; step < keys.shards; step += 1) {
      if (this.#owned.size >= share || this.#stopping.signal.aborted) return;
      const shard = (first + step) % keys.shards;
      if (this.#owned.has(shard)) continue;
      const renewedAt = clock.nowMs();
      const lease = await acquireRedisLease(connections, {
        key: keys.shardLease(group, shard),
        name: `${group}:${shard}`,
        ownerId: consumerId,
        ttlMs: ownershipTtlMs,
        reading: { readersKey: keys.readers(shard), group: keys.group(group) },
      });
      if (lease === null) continue;
      const reader = new ShardReader({
        ...this.#deps,
        consume: this.#options,
        streamKey: keys.stream(shard),
        readersKey: keys.readers(shard),
        redisGroup: keys.group(group),
      });
      this.#owned.set(shard, { lease, reader, renewedAt, leaving: false });
    }
  }

  /** Gives a shard up when its batch is done; until then its lease goes on being renewed. */
  #release(shard: number, ownership: Ownership): void {
    ownership.leaving = true;
    ownership.reader.stop();
    void ownership.reader.running.then(() => this.#returnLease(shard, ownership));
  }

  /** Waits for the batches in hand, up to the limit, renewing their leases meanwhile. */
  async #finishBatches(): Promise<void> {
    const { stopWaitMs, logger } = this.#deps;
    const finished = Promise.all([...this.#owned.values()].map(({ reader }) => reader.running));
    const renewEveryMs = this.#renewEveryMs();
    for (let waitedMs = 0; waitedMs < stopWaitMs; waitedMs += renewEveryMs) {
      const waited = await withinMs(finished, Math.min(renewEveryMs, stopWaitMs - waitedMs));
      if (waited !== 'TIMED_OUT') return;
      await this.#renewAll().catch((error: unknown) => this.#reportFailure(error));
    }
    const { group, consumerId } = this.#options;
    logger.error({ group, consumerId }, 'bus.handler_abandoned');
  }

  async #returnLease(shard: number, ownership: Ownership): Promise<void> {
    if (this.#owned.get(shard) !== ownership) return;
    this.#owned.delete(shard);
    try {
      await ownership.lease.release();
    } catch (error) {
      // It runs out by itself.
      this.#deps.logger.debug({ shard, reason: redisFailure(error).message }, 'bus.lease_not_released');
    }
  }

  /** Somebody else owns the shard, or may: no further batch begins here. */
  #drop(shard: number, ownership: Ownership): void {
    ownership.reader.stop();
    this.#owned.delete(shard);
    this.#deps.logger.warn({ group: this.#options.group, shard }, 'bus.shard_lost');
  }

  /** While Redis cannot be asked, a lease is good only for as long as it surely lasts. */
  #dropExpired(): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const [shard, ownership] of this.#owned) {
      if (nowMs - ownership.renewedAt >= this.#deps.ownershipTtlMs) this.#drop(shard, ownership);
    }
  }

  /** Lets the others have this member's share at once instead of when its beat runs out. */
  async #leaveGroup(): Promise<void> {
    const { connections, keys, logger } = this.#deps;
    try {
      await connections.call('zrem', [keys.members(this.#options.group), this.#options.consumerId]);
    } catch (error) {
      logger.debug({ reason: redisFailure(error).message }, 'bus.member_not_removed');
    }
  }
}
