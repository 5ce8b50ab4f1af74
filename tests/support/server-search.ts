// Free of vitest, so that scripts and the global setup can use it as well.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/db/embedded/postgres.ts';
import { createLogger } from '../../src/lib/logger.ts';

/** A server that scripts and the global setup may use; disposing stops it if it was started here. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** How it was found, for the banner. */
  readonly origin: string;
}

/** PostgreSQL for tests: `DATABASE_URL`, else the local default port, else an embedded one of its own. */
export async function openTestServer(): Promise<TestServer> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== '') {
    if (!(await answers(given))) throw new Error('DATABASE_URL is set, but PostgreSQL does not answer there');
    return { url: given, origin: 'DATABASE_URL', [Symbol.asyncDispose]: async () => undefined };
  }
  for (const user of ['postgres', 'root']) {
    const url = `postgres://${user}@127.0.0.1:5432/postgres`;
    if (await answers(url)) {
      return { url, origin: '127.0.0.1:5432', [Symbol.asyncDispose]: async () => undefined };
    }
  }
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tallylight-test-'));
  const embedded = await startEmbeddedPostgres({ dataDir, logger: createLogger('error') });
  return {
    url: embedded.connectionString,
    origin: 'embedded',
    [Symbol.asyncDispose]: async () => {
      await embedded.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Redis for tests: `REDIS_URL`, else the local default port, else null. */
export async function findRedis(): Promise<string | null> {
  const given = process.env.REDIS_URL;
  const url = given === undefined || given === '' ? 'redis://127.0.0.1:6379' : given;
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2_000 });
  redis.on('error', () => undefined); // the failed connect() below says the same
  try {
    await redis.connect();
    return url;
  } catch {
    if (given) throw new Error('REDIS_URL is set, but Redis does not answer there');
    return null;
  } finally {
    redis.disconnect();
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
