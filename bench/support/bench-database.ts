import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { createLogger } from '../../src/lib/logger.ts';

const LOCAL_URL = 'postgres://postgres@127.0.0.1:5432/postgres';
const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url));

/** A migrated database of a bench's own, dropped at its end. */
export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  /** One connection for the bench's own questions. */
  readonly client: Client;
}

/** Makes it on the server of DATABASE_URL, else on the local default port. */
export async function createBenchDatabase(name: string): Promise<BenchDatabase> {
  const serverUrl = process.env.DATABASE_URL ?? LOCAL_URL;
  const database = `tallylight_bench_${name}_${process.pid}`;
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${database}`);
  const url = Object.assign(new URL(serverUrl), { pathname: `/${database}` }).href;
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
    },
  };
}
