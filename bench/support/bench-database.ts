import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { openTestServer } from '../../tests/support/server-search.ts';

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/** A migrated database of a bench's own, dropped at its end. */
export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  /** One connection for the bench's own questions. */
  readonly client: Client;
}

/** Makes it on the server of DATABASE_URL, else on the local default port, else on an embedded server that ends with it. */
export async function createBenchDatabase(name: string): Promise<BenchDatabase> {
  const server = await openTestServer();
  const database = `tallylight_bench_${name}_${process.pid}`;
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`create database ${database}`);
  const url = Object.assign(new URL(server.url), { pathname: `/${database}` }).href;
  await migrate({ connectionString: url, directory: MIGRATIONS, logger: createLogger('error') });
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    url,
    client,
    async [Symbol.asyncDispose]() {
      await client.end();
      await admin.query(`drop database ${database} with (force)`);
      await admin.end();
      await server[Symbol.asyncDispose]();
    },
  };
}
