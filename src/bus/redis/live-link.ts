import type { Redis } from 'ioredis';
import { DependencyError } from '../../errors/errors.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Logger } from '../../lib/logger.ts';
import { pause } from '../../lib/pause.ts';
import type { Unsubscribe } from '../port.ts';
import { LiveMessage } from './live-message.ts';
import { redisFailure } from './redis-error.ts';

/** Waits between two tries to connect again, in milliseconds. */
const RECONNECT_BASE_MS = 25;
const RECONNECT_MAX_MS = 500;

/** What a link needs. */
export interface LiveLinkDeps {
  readonly logger: Logger;
  readonly random: () => number;
  /** A new connection to the node where the link's channels live. */
  readonly connect: () => Promise<Redis>;
}

/** Who listens to a channel of Redis. */
export interface LinkListener {
  readonly message: (message: LiveMessage) => void;
  /** The connection was lost and is back: messages between are missing. */
  readonly interrupted: () => void;
}

interface Channel {
  readonly listeners: Set<LinkListener>;
  /** Settles when Redis has acknowledged the subscription. */
  inForce: Promise<unknown>;
}

/**
 * One connection in subscriber mode. A channel of Redis is subscribed once however many listen, and given up with the
 * last of them. States: down → connecting → up → down; it connects when the first listener comes, and by itself again
 * for as long as anybody listens.
 */
export class LiveLink {
  readonly #deps: LiveLinkDeps;
  readonly #channels = new Map<string, Channel>();
  readonly #closing = new AbortController();
  #connecting: Promise<Redis> | null = null;
  #redis: Redis | null = null;
  #recovery: Promise<void> | null = null;

  constructor(deps: LiveLinkDeps) {
    this.#deps = deps;
  }

  /** Resolves once the subscription is in force. @throws DependencyError when Redis is out of reach. */
  async subscribe(name: string, listener: LinkListener): Promise<Unsubscribe> {
    const redis = await this.#connected();
    const channel = this.#channels.get(name) ?? this.#open(redis, name);
    channel.listeners.add(listener);
    try {
      await channel.inForce;
    } catch (error) {
      this.#remove(name, channel, listener);
      throw redisFailure(error);
    }
    return async () => this.#remove(name, channel, listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#channels.clear();
    this.#redis?.disconnect();
    await this.#recovery;
  }

  #open(redis: Redis, name: string): Channel {
    const channel: Channel = { listeners: new Set(), inForce: redis.ssubscribe(name) };
    this.#channels.set(name, channel);
    return channel;
  }

  #remove(name: string, channel: Channel, listener: LinkListener): void {
    channel.listeners.delete(listener);
    if (channel.listeners.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    // When this fails the connection is gone, and the subscription with it.
    this.#redis?.sunsubscribe(name).catch(() => {});
  }

  /** The connection that is up, or one try to have one. */
  #connected(): Promise<Redis> {
    if (this.#redis !== null) return Promise.resolve(this.#redis);
    if (this.#closing.signal.aborted) {
      throw new DependencyError('the event bus is closed', { dependency: 'bus', retryable: false });
    }
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<Redis> {
    const redis = await this.#deps.connect();
    if (this.#closing.signal.aborted) redis.disconnect();
    redis.on('smessage', (name: string, text: string) => this.#dispatch(name, text));
    // The slot has moved to another node of the cluster: ask again where it is.
    redis.on('moved', () => redis.disconnect());
    redis.once('close', () => this.#lost(redis));
    await this.#resubscribe(redis);
    this.#redis = redis;
    return redis;
  }

  /** Puts every channel in force on a new connection; a failure ends the connection, and `#lost` tries again. */
  async #resubscribe(redis: Redis): Promise<void> {
    const again = [...this.#channels];
    if (again.length === 0) return;
    const inForce = again.map(([name, channel]) => {
      channel.inForce = redis.ssubscribe(name);
      return channel.inForce;
    });
    try {
      await Promise.all(inForce);
    } catch (error) {
      redis.disconnect();
      throw redisFailure(error);
    }
    for (const [name, channel] of again) {
      if (this.#channels.get(name) !== channel) continue;
      for (const listener of channel.listeners) this.#guard(() => listener.interrupted());
    }
  }

  #lost(redis: Redis): void {
    if (this.#redis === redis) this.#redis = null;
    if (this.#closing.signal.aborted || this.#recovery !== null) return;
    this.#recovery = this.#recover().finally(() => {
      this.#recovery = null;
    });
  }

  /** Tries until the connection is up again or nobody listens any more. */
  async #recover(): Promise<void> {
    const { signal } = this.#closing;
    for (
      let failures = 1;
      !signal.aborted && this.#redis === null && this.#channels.size > 0;
      failures += 1
    ) {
      const { random } = this.#deps;
      await pause(backoffMs(failures, random, { minMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS }), signal);
      if (signal.aborted) return;
      try {
        await this.#connected();
      } catch (error) {
        this.#deps.logger.debug({ reason: redisFailure(error).message }, 'bus.live_down');
      }
    }
  }

  #dispatch(name: string, text: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    const message = new LiveMessage(text);
    for (const listener of channel.listeners) this.#guard(() => listener.message(message));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#deps.logger.error({ err: error }, 'bus.listener_failed');
    }
  }
}
