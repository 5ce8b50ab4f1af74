import { createHash } from 'node:crypto';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { DependencyError } from '../../errors/errors.ts';
import { assert } from '../../lib/assert.ts';
import type { Logger } from '../../lib/logger.ts';
import { redisFailure, replyCode } from './redis-error.ts';

/** A command without an answer for this long has failed, in milliseconds; whether it was executed is then unknown. */
const COMMAND_TIMEOUT_MS = 3_000;

/** How long connecting may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;

/** The longest wait between two tries to reconnect, in milliseconds: how soon a returned Redis is noticed. */
const RECONNECT_MAX_MS = 500;

/** The oldest major version that has all the bus uses: sharded pub/sub came with Redis 7. Valkey reports 7 as well. */
const VERSION_MIN = 7;

/** What a `rediss://` connection trusts and shows, as PEM texts. Without `ca`: the authorities that Node knows. */
export interface RedisTls {
  readonly ca?: string;
  /** Our own certificate and its key, for a server that asks for them. */
  readonly cert?: string;
  readonly key?: string;
}

/** Where one Redis node listens and how to sign in. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: RedisTls;
}

type Argument = string | number;

/**
 * The connections of one bus to Redis, alone or a cluster: one for commands, which fails fast instead of queueing, and
 * dedicated ones for what blocks or listens.
 */
export class RedisConnections {
  readonly #seeds: readonly Endpoint[];
  readonly #commands: Redis | Cluster;
  readonly #dedicated = new Set<Redis>();
  /** Hashes of the scripts run so far; as many as the bus has scripts. */
  readonly #hashes = new Map<string, string>();
  #closed: boolean = false;

  private constructor(seeds: readonly Endpoint[], commands: Redis | Cluster) {
    this.#seeds = seeds;
    this.#commands = commands;
  }

  /**
   * Connects. `url` is one `redis://` or `rediss://` address, or several nodes of a cluster separated by commas.
   * @throws DependencyError when Redis does not answer or does not let us in.
   */
  static async open(options: {
    readonly url: string;
    readonly tls?: RedisTls;
    readonly logger: Logger;
  }): Promise<RedisConnections> {
    const seeds = options.url.split(',').map((text) => parseEndpoint(text, options.tls ?? {}));
    const commands = (await isCluster(seeds)) ? clusterClient(seeds) : standaloneClient(seeds);
    reportOutages(commands, options.logger);
    await connected(commands);
    const connections = new RedisConnections(seeds, commands);
    await connections.#requireVersion();
    return connections;
  }

  get isCluster(): boolean {
    return this.#commands instanceof Cluster;
  }

  /** @throws DependencyError */
  async call(command: string, args: readonly Argument[]): Promise<unknown> {
    try {
      return await this.#commands.call(command, [...args]);
    } catch (error) {
      throw redisFailure(error);
    }
  }

  /**
   * Runs a script by its hash, sending its text only to a server that does not know it (new, restarted, flushed).
   * @throws DependencyError
   */
  async run(lua: string, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.call('evalsha', [this.#hashOf(lua), ...rest]);
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw error;
    }
    return this.call('eval', [lua, ...rest]);
  }

  /**
   * A connection of its own to the node that holds `key`, without reconnecting: who uses it opens another when it ends,
   * since in a cluster the key may live elsewhere by then.
   * @throws DependencyError
   */
  async dedicated(key: string, options: { readonly replyTimeoutMs: number }): Promise<Redis> {
    const redis = new Redis({
      ...nodeOptions(await this.#endpointOf(key)),
      commandTimeout: options.replyTimeoutMs,
      retryStrategy: null,
    });
    // Its user sees the failing command or the `close` event.
    redis.on('error', () => {});
    redis.once('end', () => this.#dedicated.delete(redis));
    this.#dedicated.add(redis);
    if (this.#closed) redis.disconnect();
    await connected(redis);
    return redis;
  }

  close(): void {
    this.#closed = true;
    this.#commands.disconnect();
    for (const redis of this.#dedicated) redis.disconnect();
  }

  /** @throws DependencyError when the server is too old for sharded pub/sub. */
  async #requireVersion(): Promise<void> {
    const info = String(await this.call('info', ['server']));
    const major = Number(/^redis_version:(\d+)/m.exec(info)?.[1] ?? VERSION_MIN);
    if (major >= VERSION_MIN) return;
    this.close();
    throw new DependencyError(`Redis ${major} is too old: Tallylight needs Redis ${VERSION_MIN} or Valkey`, {
      dependency: 'redis',
      retryable: false,
    });
  }

  async #endpointOf(key: string): Promise<Endpoint> {
    const seed = firstOf(this.#seeds);
    if (!this.isCluster) return seed;
    const slot = Number(await this.call('cluster', ['keyslot', key]));
    // The shape is CLUSTER SLOTS' documented reply: [from, to, [host, port, …], …].
    const ranges = (await this.call('cluster', ['slots'])) as [number, number, [string | null, number]][];
    const owner = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2];
    if (owner === undefined) {
      throw new DependencyError('no node of the cluster holds the slot', {
        dependency: 'redis',
        retryable: true,
      });
    }
    // A node that does not know its own address leaves the host empty: then it is the one we asked.
    return { ...seed, host: owner[0] || seed.host, port: owner[1] };
  }

  #hashOf(lua: string): string {
    const known = this.#hashes.get(lua);
    if (known !== undefined) return known;
    const hash = createHash('sha1').update(lua).digest('hex');
    this.#hashes.set(lua, hash);
    return hash;
  }
}

/** Logs when the connection is lost and when it is back, once each: during an outage every try to reconnect fails. */
function reportOutages(client: Redis | Cluster, logger: Logger): void {
  let away = false;
  client.on('error', (error: Error) => {
    if (!away) logger.warn({ reason: error.message }, 'bus.redis_lost');
    away = true;
  });
  client.on('ready', () => {
    if (away) logger.info('bus.redis_back');
    away = false;
  });
}

/** @throws DependencyError when `text` is no address of a Redis. The text, which may hold a password, is not repeated. */
function parseEndpoint(text: string, tls: RedisTls): Endpoint {
  const url = URL.parse(text.trim());
  if (url === null || !(url.protocol === 'redis:' || url.protocol === 'rediss:') || url.hostname === '') {
    throw new DependencyError('the Redis address is not of the form redis://host:port', {
      dependency: 'redis',
      retryable: false,
    });
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    db: Number(url.pathname.slice(1)) || 0,
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls } : {}),
  };
}

/** The address whose sign-in holds for all. */
function firstOf(seeds: readonly Endpoint[]): Endpoint {
  const [seed] = seeds;
  assert(seed !== undefined, 'splitting a text gives at least one part');
  return seed;
}

/** What all connections to a node have in common: nothing is queued or sent again behind our back. */
function nodeOptions(endpoint: Endpoint) {
  return {
    ...endpoint,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  } satisfies RedisOptions;
}

function standaloneClient(seeds: readonly Endpoint[]): Redis {
  return new Redis({ ...nodeOptions(firstOf(seeds)), retryStrategy: reconnectMs });
}

function clusterClient(seeds: readonly Endpoint[]): Cluster {
  const nodes = seeds.map(({ host, port }) => ({ host, port }));
  const { username, password, tls } = firstOf(seeds);
  return new Cluster(nodes, {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: reconnectMs,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    redisOptions: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: 0,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
    },
  });
}

/** Whether the addresses are a cluster's: several are, and a single one is asked. */
async function isCluster(seeds: readonly Endpoint[]): Promise<boolean> {
  if (seeds.length > 1) return true;
  const probe = new Redis({ ...nodeOptions(firstOf(seeds)), retryStrategy: null });
  try {
    await connected(probe);
    return (await probe.info('cluster')).includes('cluster_enabled:1');
  } catch (error) {
    throw redisFailure(error);
  } finally {
    probe.disconnect();
  }
}

/** Resolves when the client is ready. @throws DependencyError with the reason that the client itself only emits. */
async function connected(client: Redis | Cluster): Promise<void> {
  let reason: unknown;
  const remember = (error: unknown) => {
    reason = error;
  };
  client.on('error', remember);
  try {
    await client.connect();
  } catch (error) {
    client.disconnect();
    throw redisFailure(reason ?? error);
  } finally {
    client.off('error', remember);
  }
}

function reconnectMs(attempts: number): number {
  return Math.min(RECONNECT_MAX_MS, 25 * 2 ** Math.min(attempts, 10));
}
