import { createHmac } from 'node:crypto';
import { RedisConnections, type RedisTls } from '../bus/redis/connections.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { withinMs } from '../lib/pause.ts';
import { createInProcessLimiter } from './in-process-limiter.ts';
import { type BucketRule, type Consumption, consumptionOf, type Limiter } from './limiter.ts';

/** An answer that takes longer than this counts as none, in milliseconds: every request waits for it. */
const ANSWER_MS_MAX = 250;

/** How long Redis is left alone after it did not answer, in milliseconds. */
const AWAY_MS = 1_000;

/** While Redis is away every process has a bucket of its own: together they must not allow much more than the shared one. */
const AWAY_SHARE = 1 / 4;

/** Hashes remembered at most. */
const NAMES_MAX = 10_000;

/** How long an untouched bucket is kept beyond the time in which it is full again, in milliseconds. */
const KEPT_MS = 1_000;

/**
 * KEYS 1 bucket; ARGV 1 points, 2 capacity, 3 points per second. One key, so any node of a cluster can run it, and by the
 * time of Redis, so the clocks of the processes do not matter. Points below zero are given back. Answers 1 or 0, and the level
 * as text (numbers are cut to integers on the way).
 */
export const CONSUME_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local points, capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(bucket[1] or capacity)
local at = tonumber(bucket[2] or now)
level = math.min(capacity, level + math.max(0, now - at) / 1000 * rate)
local allowed = 0
if level >= points then
  allowed = 1
  level = math.min(capacity, level - points)
end
redis.call('HSET', KEYS[1], 'level', string.format('%.3f', level), 'at', string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - level) / rate * 1000) + ${KEPT_MS})
return { allowed, string.format('%.3f', level) }
`;

/** What the shared buckets are made with. */
export interface RedisLimiterOptions {
  /** As for the bus. */
  readonly url: string;
  readonly tls?: RedisTls;
  /** Begins every key. */
  readonly keyPrefix: string;
  /** Keys are hashed with it: whoever reads Redis cannot tell, nor find out by guessing, whose bucket it is. */
  readonly secret: Buffer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Buckets in Redis, shared by all processes. While Redis does not answer, each process holds a stricter rule by itself
 * and tries again every second; that is logged once, as is its end.
 * @throws DependencyError when Redis cannot be reached now.
 */
export async function createRedisLimiter(options: RedisLimiterOptions): Promise<Limiter> {
  return new RedisLimiter(await RedisConnections.open(options), options);
}

class RedisLimiter implements Limiter {
  readonly #connections: RedisConnections;
  readonly #options: RedisLimiterOptions;
  readonly #prefix: string;
  readonly #local: Limiter;
  readonly #names = new Map<string, string>();
  /** Until when Redis is not asked, by the clock of the machine's uptime; null while it answers. */
  #awayUntil: number | null = null;

  constructor(connections: RedisConnections, options: RedisLimiterOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#prefix = `${options.keyPrefix.replaceAll(/[{}]/g, '').replace(/:$/, '')}:limit:`;
    this.#local = createInProcessLimiter(options);
  }

  async consume(key: string, points: number, rule: BucketRule): Promise<Consumption> {
    const name = this.#nameOf(key);
    const answer = await this.#askUnlessAway(name, points, rule);
    return answer ?? this.#local.consume(name, points, stricter(rule, points));
  }

  async giveBack(key: string, points: number, rule: BucketRule): Promise<void> {
    const name = this.#nameOf(key);
    const answer = await this.#askUnlessAway(name, -points, rule);
    if (answer === null) await this.#local.giveBack(name, points, stricter(rule, points));
  }

  /** Null while Redis is away. */
  async #askUnlessAway(name: string, points: number, rule: BucketRule): Promise<Consumption | null> {
    if (this.#awayUntil === null || performance.now() >= this.#awayUntil) {
      // Only one attempt finds out whether it is back: the others do not wait for it.
      if (this.#awayUntil !== null) this.#awayUntil = performance.now() + AWAY_MS;
      try {
        const answer = await this.#ask(`{${this.#prefix}${name}}`, points, rule);
        this.#noteBack();
        return answer;
      } catch (error) {
        this.#noteAway(error);
      }
    }
    return null;
  }

  /** The key's hash: remembered, since the same few come again and again. */
  #nameOf(key: string): string {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = createHmac('sha256', this.#options.secret).update(key, 'utf8').digest('base64url');
    if (this.#names.size >= NAMES_MAX) this.#names.clear();
    this.#names.set(key, name);
    return name;
  }

  async #ask(key: string, points: number, rule: BucketRule): Promise<Consumption> {
    const args = [points, rule.capacity, rule.restorePerSecond];
    const running = this.#connections.run(CONSUME_SCRIPT, [key], args);
    // Once nobody waits for it, its failure is the same outage.
    running.catch(() => undefined);
    const answer = await withinMs(running, ANSWER_MS_MAX);
    if (answer === 'TIMED_OUT') throw new Error('Redis did not answer in time');
    // The script's answer: a whole number and the level as text.
    const [allowed, level] = answer as [number, string];
    return consumptionOf({ allowed: allowed === 1, level: Number(level) }, points, rule);
  }

  #noteAway(error: unknown): void {
    if (this.#awayUntil === null) this.#options.logger.warn({ err: error }, 'limits.redis_lost');
    this.#awayUntil = performance.now() + AWAY_MS;
  }

  #noteBack(): void {
    if (this.#awayUntil !== null) this.#options.logger.info('limits.redis_back');
    this.#awayUntil = null;
  }

  close(): void {
    this.#connections.close();
    this.#local.close();
  }
}

/** A quarter of the rule, but never so little that what was just asked for could not be had at all. */
function stricter(rule: BucketRule, points: number): BucketRule {
  const capacity = Math.min(rule.capacity, Math.max(points, rule.capacity * AWAY_SHARE));
  return { capacity, restorePerSecond: rule.restorePerSecond * AWAY_SHARE };
}
