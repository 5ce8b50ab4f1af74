import type { Redis } from 'ioredis';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { pause } from '../../lib/pause.ts';
import { type BatchDeliveryDeps, deliverBatch, type GivenUp } from '../batch-delivery.ts';
import { EVENTS_CUT_EVERY_MS, EVENTS_MEMORY_MS } from '../limits.ts';
import type { ConsumedDelivery, ConsumeOptions } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import type { RedisDeadLetters } from './dead-letters.ts';
import { parseStreamEntry, type StreamEntry } from './event-entry.ts';
import { FORGET_CONSUMERS_SCRIPT } from './group-scripts.ts';
import { redisFailure, replyCode } from './redis-error.ts';
import { TRIM_SCRIPT } from './trim-script.ts';

/**
 * How long one read blocks, in milliseconds. Far below the ownership's time to live, so that a read begun as owner has
 * ended before anybody else can be owner; and short enough for stopping to be quick.
 */
export const READ_BLOCK_MS = 500;

/** A read without an answer for this long is a dead connection, in milliseconds. */
const REPLY_TIMEOUT_MS = READ_BLOCK_MS + 3_000;

/** How often a reader looks for entries that are in nobody's hands, in milliseconds. @see ShardReader */
const STRAY_CHECK_MS = 5_000;

/** Waits between two tries after Redis failed, in milliseconds. */
const RECONNECT_BASE_MS = 25;
const RECONNECT_MAX_MS = 500;

/** What a reader needs. */
export interface ShardReaderDeps {
  readonly connections: RedisConnections;
  readonly deadLetters: RedisDeadLetters;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly consume: ConsumeOptions;
  readonly streamKey: string;
  /** The groups that read the stream. */
  readonly readersKey: string;
  /** The group's name in Redis. */
  readonly redisGroup: string;
}

/**
 * Reads one shard for a group, as its owner. States: claiming (everything pending of former owners, in order) → reading
 * (new entries, blocking) → claiming again when the connection failed or stray entries were found (given to a former
 * owner's read after we took over). Ends when `stop` was called, after the batch in hand.
 */
export class ShardReader {
  readonly running: Promise<void>;
  readonly #deps: ShardReaderDeps;
  readonly #stopping = new AbortController();
  readonly #delivery: BatchDeliveryDeps;
  #failures = 0;
  #nextStrayCheckAt = 0;
  #nextCutAt = 0;

  constructor(deps: ShardReaderDeps) {
    this.#deps = deps;
    this.#delivery = {
      ...deps,
      signal: this.#stopping.signal,
      settle: (batch, givenUp) => this.#settle(batch, givenUp),
      attempted: (batch) => this.#recordAttempts(batch),
    };
    this.running = this.#run();
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Begins no further batch. `running` resolves when the one in hand is done. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.#session();
      } catch (error) {
        await this.#recover(error);
      }
    }
  }

  /** One connection's life. */
  async #session(): Promise<void> {
    const redis = await this.#deps.connections.dedicated(this.#deps.streamKey, {
      replyTimeoutMs: REPLY_TIMEOUT_MS,
    });
    try {
      while (!this.stopping) {
        await this.#claimPending(redis);
        await this.#readNew(redis);
      }
    } finally {
      redis.disconnect();
    }
  }

  /** Makes the group where Redis does not know it (first use, lost data); waits before the next try otherwise. */
  async #recover(error: unknown): Promise<void> {
    const failure = redisFailure(error);
    const { connections, streamKey, redisGroup, logger, random } = this.#deps;
    if (replyCode(failure) === 'NOGROUP') {
      try {
        await connections.call('xgroup', ['CREATE', streamKey, redisGroup, '0', 'MKSTREAM']);
        return;
      } catch (createError) {
        if (replyCode(createError) === 'BUSYGROUP') return; // another member was faster
      }
    }
    this.#failures += 1;
    if (this.#failures === 1) logger.warn({ streamKey, err: failure }, 'bus.read_failed');
    const failures = this.#failures;
    await pause(
      backoffMs(failures, random, { minMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS }),
      this.#stopping.signal,
    );
  }

  /** Delivers what former owners, or we before a failure, were given and did not acknowledge. */
  async #claimPending(redis: Redis): Promise<void> {
    const { streamKey, redisGroup, consume } = this.#deps;
    let from = '0-0';
    while (!this.stopping) {
      // The shape is XAUTOCLAIM's documented reply; entries cut from the stream meanwhile are in its third part only.
      const [next, entries] = (await redis.call('xautoclaim', [
        streamKey,
        redisGroup,
        consume.consumerId,
        0,
        from,
        'COUNT',
        consume.batchMax,
      ])) as [string, readonly StreamEntry[]];
      if (entries.length > 0) {
        await this.#deliver(entries, await this.#attemptsOf(redis, entries));
      } else if (next === '0-0') {
        break;
      }
      from = next;
    }
    await this.#deps.connections.run(FORGET_CONSUMERS_SCRIPT, [streamKey], [redisGroup, consume.consumerId]);
  }

  /** Delivery counts of claimed entries: kept by Redis, so they outlive every consumer. */
  async #attemptsOf(redis: Redis, entries: readonly StreamEntry[]): Promise<ReadonlyMap<string, number>> {
    const first = entries[0]?.[0] ?? '-';
    const last = entries.at(-1)?.[0] ?? '+';
    // The shape is XPENDING's documented extended reply: [id, consumer, idle ms, deliveries].
    const pending = (await redis.call('xpending', [
      this.#deps.streamKey,
      this.#deps.redisGroup,
      first,
      last,
      entries.length,
    ])) as readonly [string, string, number, number][];
    return new Map(pending.map(([id, , , deliveries]) => [id, deliveries]));
  }

  /** Reads new entries until it is time to stop or to look for strays. */
  async #readNew(redis: Redis): Promise<void> {
    const { clock, consume } = this.#deps;
    this.#nextStrayCheckAt = clock.nowMs() + STRAY_CHECK_MS;
    while (!this.stopping) {
      if (clock.nowMs() >= this.#nextStrayCheckAt && (await this.#hasStrays(redis))) return;
      if (clock.nowMs() >= this.#nextCutAt) await this.#cutOld();
      const entries = await this.#read(redis, consume.batchMax, READ_BLOCK_MS);
      this.#failures = 0;
      if (entries.length === 0) continue;
      const missing = consume.batchMax - entries.length;
      if (missing > 0 && consume.lingerMs > 0) {
        await pause(consume.lingerMs, this.#stopping.signal);
        const more = await this.#read(redis, missing, null);
        await this.#deliver([...entries, ...more], null);
      } else {
        await this.#deliver(entries, null);
      }
    }
  }

  /** Whether anything is pending while nothing is in our hands. */
  async #hasStrays(redis: Redis): Promise<boolean> {
    const { streamKey, redisGroup, clock } = this.#deps;
    this.#nextStrayCheckAt = clock.nowMs() + STRAY_CHECK_MS;
    const pending = await redis.call('xpending', [streamKey, redisGroup, '-', '+', 1]);
    return Array.isArray(pending) && pending.length > 0;
  }

  async #cutOld(): Promise<void> {
    const { connections, streamKey, readersKey, clock } = this.#deps;
    this.#nextCutAt = clock.nowMs() + EVENTS_CUT_EVERY_MS;
    await connections.run(TRIM_SCRIPT, [streamKey, readersKey], [EVENTS_MEMORY_MS]);
  }

  async #read(redis: Redis, count: number, blockMs: number | null): Promise<readonly StreamEntry[]> {
    const { streamKey, redisGroup, consume } = this.#deps;
    const block = blockMs === null ? [] : ['BLOCK', blockMs];
    const args = ['GROUP', redisGroup, consume.consumerId, 'COUNT', count, ...block];
    // The shape is XREADGROUP's documented reply for one stream, null when nothing came.
    const reply = (await redis.call('xreadgroup', [...args, 'STREAMS', streamKey, '>'])) as
      | [[string, readonly StreamEntry[]]]
      | null;
    return reply?.[0][1] ?? [];
  }

  /** Parses entries and delivers them; foreign ones become dead letters first. `attempts` null means the first. */
  async #deliver(
    entries: readonly StreamEntry[],
    attempts: ReadonlyMap<string, number> | null,
  ): Promise<void> {
    const batch: ConsumedDelivery[] = [];
    for (const entry of entries) {
      const parsed = parseStreamEntry(entry);
      if (parsed.kind === 'UNREADABLE') {
        await this.#buryUnreadable(parsed.cursor, parsed.text);
        continue;
      }
      const { cursor, event } = parsed.delivery;
      batch.push({ cursor, event, attempt: attempts?.get(cursor) ?? 1 });
    }
    if (batch.length > 0) await deliverBatch(this.#delivery, batch);
  }

  async #buryUnreadable(cursor: string, text: string): Promise<void> {
    const { deadLetters, clock, consume } = this.#deps;
    await deadLetters.add({
      at: clock.nowMs(),
      group: consume.group,
      reason: 'the entry is no event of this version',
      attempts: 1,
      channelId: null,
      message: text,
    });
    await this.#acknowledge([cursor]);
  }

  async #settle(batch: readonly ConsumedDelivery[], givenUp: readonly GivenUp[]): Promise<void> {
    const { deadLetters, clock, consume } = this.#deps;
    for (const { delivery, reason } of givenUp) {
      await this.#untilDone(() =>
        deadLetters.add({
          at: clock.nowMs(),
          group: consume.group,
          reason,
          attempts: delivery.attempt,
          channelId: delivery.event.channelId,
          message: JSON.stringify(delivery.event),
        }),
      );
    }
    await this.#acknowledge(batch.map(({ cursor }) => cursor));
  }

  async #acknowledge(cursors: readonly string[]): Promise<void> {
    const { connections, streamKey, redisGroup } = this.#deps;
    await this.#untilDone(() => connections.call('xack', [streamKey, redisGroup, ...cursors]));
  }

  /** Keeps the attempt number in Redis, so that the next owner goes on counting. Best effort: it only bounds retries. */
  async #recordAttempts(batch: readonly ConsumedDelivery[]): Promise<void> {
    const { connections, streamKey, redisGroup, consume, logger } = this.#deps;
    const ids = batch.map(({ cursor }) => cursor);
    const attempt = batch[0]?.attempt ?? 1;
    try {
      await connections.call('xclaim', [
        streamKey,
        redisGroup,
        consume.consumerId,
        0,
        ...ids,
        'RETRYCOUNT',
        attempt,
        'JUSTID',
      ]);
    } catch (error) {
      logger.debug({ streamKey, reason: redisFailure(error).message }, 'bus.attempt_not_recorded');
    }
  }

  /**
   * Does `work` again for as long as Redis is out of reach: handled events are acknowledged rather than handled twice.
   * When stopping, one try is all.
   */
  async #untilDone(work: () => Promise<unknown>): Promise<void> {
    const { random } = this.#deps;
    for (let failures = 1; ; failures += 1) {
      try {
        await work();
        return;
      } catch (error) {
        const failure = redisFailure(error);
        if (!failure.retryable || this.stopping) throw failure;
        await pause(
          backoffMs(failures, random, { minMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS }),
          this.#stopping.signal,
        );
      }
    }
  }
}
