import { DependencyError } from '../errors/errors.ts';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { randomFraction } from '../lib/random.ts';
import { APPEND_WAIT_MS, RETRY_BASE_MS, RETRY_MAX_MS, STOP_WAIT_MS } from './limits.ts';
import type {
  AppendOutcome,
  AppendRequest,
  BusHealth,
  ConsumeOptions,
  Consumer,
  DeadLetter,
  EventBus,
  Lease,
  LiveSubscriber,
  Presence,
  Unsubscribe,
} from './port.ts';
import { appendToRedis } from './redis/appender.ts';
import { RedisConnections, type RedisTls } from './redis/connections.ts';
import { RedisDeadLetters } from './redis/dead-letters.ts';
import { GroupConsumer } from './redis/group-consumer.ts';
import { RedisKeys } from './redis/keys.ts';
import { acquireRedisLease } from './redis/leases.ts';
import { LiveSubscriptions } from './redis/live-subscriptions.ts';
import { RedisPresence } from './redis/presence.ts';
import { redisHealth } from './redis/redis-health.ts';

/** How long a dead consumer's shards wait for another owner, in milliseconds. */
const OWNERSHIP_TTL_MS = 4_000;

/** What the Redis bus is made with. */
export interface RedisBusOptions {
  /** One address (`redis://`, `rediss://` for TLS), or nodes of a cluster separated by commas. Redis 7 or Valkey. */
  readonly url: string;
  /** For `rediss://`: whom to trust, and what to show. */
  readonly tls?: RedisTls;
  /** Begins every key. Two deployments on one Redis differ in it. */
  readonly keyPrefix: string;
  /** Begins every group's name: deployments that share the events but not the work differ in it. */
  readonly groupPrefix: string;
  /** How many streams the channels are spread over. The same in every process; changing it needs drained streams. */
  readonly shards: number;
  /** Events kept per shard at most. Acknowledged ones go first; when there are none, appends wait. */
  readonly streamEventsMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an append waits for room, in milliseconds. */
  readonly appendWaitMs?: number;
  /** Back-off after a first failure, and at most, in milliseconds. */
  readonly retryBaseMs?: number;
  readonly retryMaxMs?: number;
  /** How long `Consumer.stop` waits for a handler, in milliseconds. */
  readonly stopWaitMs?: number;
  /** How long a dead consumer's shards wait for another owner, in milliseconds. */
  readonly ownershipTtlMs?: number;
  /** A number in [0, 1) for the jitter. */
  readonly random?: () => number;
}

/**
 * The bus over Redis, alone or a cluster: a stream per shard with consumer groups, and sharded pub/sub per channel.
 * Recovers by itself from losing Redis; meanwhile appends are refused at once (retryable).
 * @throws DependencyError when Redis cannot be reached now.
 */
export async function createRedisBus(options: RedisBusOptions): Promise<EventBus> {
  assert(options.shards >= 1 && options.streamEventsMax >= 1, 'there is at least one shard, of one event');
  const connections = await RedisConnections.open(options);
  return new RedisBus(connections, options);
}

class RedisBus implements EventBus {
  readonly presence: Presence;
  readonly #options: Required<Omit<RedisBusOptions, 'tls'>>;
  readonly #connections: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #deadLetters: RedisDeadLetters;
  readonly #live: LiveSubscriptions;
  readonly #consumers = new Set<Consumer>();
  readonly #closing = new AbortController();

  constructor(connections: RedisConnections, options: RedisBusOptions) {
    this.#options = {
      appendWaitMs: APPEND_WAIT_MS,
      retryBaseMs: RETRY_BASE_MS,
      retryMaxMs: RETRY_MAX_MS,
      stopWaitMs: STOP_WAIT_MS,
      ownershipTtlMs: OWNERSHIP_TTL_MS,
      random: randomFraction,
      ...options,
    };
    this.#connections = connections;
    this.#keys = new RedisKeys(options);
    this.#deadLetters = new RedisDeadLetters(connections, this.#keys.deadLetters());
    this.#live = new LiveSubscriptions({ ...this.#options, connections, keys: this.#keys });
    this.presence = new RedisPresence(connections, this.#keys);
  }

  async append(request: AppendRequest): Promise<readonly AppendOutcome[]> {
    this.#assertOpen();
    const { streamEventsMax, appendWaitMs } = this.#options;
    const { signal } = this.#closing;
    return appendToRedis(
      { connections: this.#connections, keys: this.#keys, streamEventsMax, appendWaitMs, signal },
      request,
    );
  }

  async readState(channelId: ChannelId): Promise<ReadonlyMap<string, string>> {
    // The client answers HGETALL as an object of texts.
    const fields = (await this.#connections.call('hgetall', [this.#keys.state(channelId)])) as Record<
      string,
      string
    >;
    return new Map(Object.entries(fields));
  }

  async lastSequence(channelId: ChannelId): Promise<number> {
    return Number((await this.#connections.call('hget', [this.#keys.head(channelId), 'sequence'])) ?? 0);
  }

  async subscribe(channelId: ChannelId, subscriber: LiveSubscriber): Promise<Unsubscribe> {
    this.#assertOpen();
    return this.#live.channel(channelId, subscriber);
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    this.#assertOpen();
    assert(options.batchMax >= 1 && options.attemptsMax >= 1, 'a batch and its attempts are at least one');
    const member = new GroupConsumer(
      { ...this.#options, connections: this.#connections, keys: this.#keys, deadLetters: this.#deadLetters },
      options,
    );
    const consumer: Consumer = {
      lag: () => member.lag(),
      stop: async () => {
        this.#consumers.delete(consumer);
        await member.stop();
      },
    };
    this.#consumers.add(consumer);
    await member.started;
    return consumer;
  }

  async deadLetters(query: {
    readonly group?: string;
    readonly limit: number;
  }): Promise<readonly DeadLetter[]> {
    return this.#deadLetters.list(query);
  }

  async addDeadLetter(letter: Omit<DeadLetter, 'id'>): Promise<void> {
    await this.#deadLetters.add(letter);
  }

  async acquireLease(request: {
    readonly name: string;
    readonly ownerId: string;
    readonly ttlMs: number;
  }): Promise<Lease | null> {
    this.#assertOpen();
    return acquireRedisLease(this.#connections, { ...request, key: this.#keys.lease(request.name) });
  }

  async notify(topic: string, payload: string): Promise<void> {
    await this.#connections.call('spublish', [this.#keys.topic(topic), payload]);
  }

  async listen(topic: string, listener: (payload: string) => void): Promise<Unsubscribe> {
    this.#assertOpen();
    return this.#live.topic(topic, listener);
  }

  async health(): Promise<BusHealth> {
    return redisHealth(this.#connections);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()));
    await this.#live.close();
    this.#connections.close();
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) {
      throw new DependencyError('the event bus is closed', { dependency: 'bus', retryable: false });
    }
  }
}
