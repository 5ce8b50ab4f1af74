import type { Presence } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import type { RedisKeys } from './keys.ts';

type Entry = Parameters<Presence['leave']>[0];

/** KEYS 1 place; ARGV 1 connection, 2 ttl ms. The place lives as long as its longest entry. */
const BEAT_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return 1
`;

/** KEYS 1 place. Answers how many entries have not expired. */
const COUNT_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
`;

/** Who is connected where, over all processes: a sorted set per place, scored by expiry in the time of Redis. */
export class RedisPresence implements Presence {
  readonly #connections: RedisConnections;
  readonly #keys: RedisKeys;

  constructor(connections: RedisConnections, keys: RedisKeys) {
    this.#connections = connections;
    this.#keys = keys;
  }

  async beat(entry: Entry & { readonly ttlMs: number }): Promise<void> {
    await this.#connections.run(
      BEAT_SCRIPT,
      [this.#keys.presence(entry)],
      [entry.connectionId, Math.ceil(entry.ttlMs)],
    );
  }

  async leave(entry: Entry): Promise<void> {
    await this.#connections.call('zrem', [this.#keys.presence(entry), entry.connectionId]);
  }

  async count(entry: Omit<Entry, 'connectionId'>): Promise<number> {
    return Number(await this.#connections.run(COUNT_SCRIPT, [this.#keys.presence(entry)], []));
  }
}
