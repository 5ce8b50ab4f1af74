import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createRedisBus, type RedisBusOptions } from '../../src/bus/redis-bus.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { waitFor } from '../support/wait.ts';
import { type BusSettings, TEST_SETTINGS, type TestBus } from './support.ts';

/** A key prefix that no other test has. */
export function newPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

/** A Redis bus as the tests want it: few shards, short waits. */
export function redisBusOptions(
  options: Partial<RedisBusOptions> & Pick<RedisBusOptions, 'url'>,
): RedisBusOptions {
  return {
    keyPrefix: newPrefix(),
    groupPrefix: 'test:',
    shards: 4,
    clock: systemClock,
    logger: createLogger('silent'),
    ownershipTtlMs: 2_000,
    ...TEST_SETTINGS,
    ...options,
  };
}

/** A bus on the shared Redis with keys of its own. */
export async function openRedisTestBus(url: string, settings: BusSettings = {}): Promise<TestBus> {
  const options = redisBusOptions({ url, ...settings });
  const bus = await createRedisBus(options);
  return {
    bus,
    [Symbol.asyncDispose]: async () => {
      await bus.close();
      await removeKeys(options.url, options.keyPrefix);
    },
  };
}

/** Every key under a prefix. */
export async function keysUnder(redis: Redis, keyPrefix: string): Promise<readonly string[]> {
  const keys = new Set<string>();
  for await (const page of redis.scanStream({ match: `{${keyPrefix}:*`, count: 1_000 })) {
    // scanStream gives pages of keys.
    for (const key of page as string[]) keys.add(key);
  }
  return [...keys];
}

export async function removeKeys(url: string, keyPrefix: string): Promise<void> {
  const redis = new Redis(url);
  try {
    const keys = await keysUnder(redis, keyPrefix);
    if (keys.length > 0) await redis.unlink(...keys);
  } finally {
    redis.disconnect();
  }
}

/** Whether this machine can start a Redis of its own; tests that need one skip loudly elsewhere. */
export function hasRedisServer(): boolean {
  const found = spawnSync('redis-server', ['--version']).status === 0;
  if (!found) process.stderr.write('\n*** NO redis-server HERE: restarts of Redis are NOT TESTED ***\n\n');
  return found;
}

/** A redis-server of the test's own, which may be killed and started again on the same port and data. */
export interface PrivateRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: () => number;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** One command, on a connection of its own. */
  command(name: string, ...args: string[]): Promise<unknown>;
}

/** Starts a private Redis on loopback; `args` as on its command line (`['--appendonly', 'yes']`). */
export async function startPrivateRedis(args: readonly string[]): Promise<PrivateRedis> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'tallylight-redis-'));
  let server: ChildProcess | undefined;
  const base = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
  const redis: PrivateRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: () => server?.pid ?? 0,
    kill: async () => {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
    },
    start: async () => {
      server = spawn('redis-server', [...base, ...args], { stdio: 'ignore' });
      await waitFor(() => answers(port), { message: 'the private Redis to answer' });
    },
    command: (name, ...rest) => send(port, name, rest),
    [Symbol.asyncDispose]: async () => {
      await redis.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await redis.start();
  return redis;
}

/** Whether the server answers, be it only that it wants a password. */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.write('PING\r\n');
    const [reply] = await once(socket, 'data');
    return /^(\+PONG|-NOAUTH)/.test(String(reply));
  } finally {
    socket.destroy();
  }
}

async function send(port: number, name: string, args: readonly string[]): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.call(name, [...args]);
  } finally {
    client.disconnect();
  }
}
