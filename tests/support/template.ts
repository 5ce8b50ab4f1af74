import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { createLogger } from '../../src/lib/logger.ts';

export const MIGRATIONS = path.resolve(import.meta.dirname, '../../migrations');
/** Databases of earlier runs that were killed are dropped when they are older than this. */
const LEFTOVER_AGE_MS = 60 * 60 * 1000;

/** A fresh database on `serverUrl` without any table, or a clone of `template`. */
export async function createEmptyDatabase(
  serverUrl: string,
  template = 'template0',
): Promise<AsyncDisposable & { readonly url: string }> {
  const name = `tallylight_test_${Date.now()}_${randomBytes(4).toString('hex')}`;
  await onServer(serverUrl, (client) => client.query(`create database ${name} template ${template}`));
  return {
    url: databaseUrlFor(serverUrl, name),
    [Symbol.asyncDispose]: async () => {
      await onServer(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

/**
 * Makes the migrated template of the present migrations unless an earlier run left it, and returns its name.
 * Runs at the same time share it: the first one builds, under a lock.
 */
export async function ensureTemplate(serverUrl: string): Promise<string> {
  const name = `tallylight_template_${await migrationsDigest()}`;
  await onServer(serverUrl, async (client) => {
    await client.query("select pg_advisory_lock(hashtext('tallylight test template'))");
    await dropLeftovers(client);
    const existing = await client.query('select from pg_database where datname = $1', [name]);
    if (existing.rowCount === 1) return;
    const draft = `${name}_draft`;
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft} template template0`);
    await prepareDatabase({
      connectionString: databaseUrlFor(serverUrl, draft),
      logger: createLogger('error'),
    });
    await client.query(`alter database ${draft} allow_connections false`);
    await client.query(`alter database ${draft} rename to ${name}`);
  });
  return name;
}

/** Names the state of the migrations: changed files make another template. */
async function migrationsDigest(): Promise<string> {
  const hash = createHash('sha256').update('with the job queue\n');
  for (const file of (await readdir(MIGRATIONS)).sort()) {
    hash.update(`${file}\n`).update(await readFile(path.join(MIGRATIONS, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function dropLeftovers(client: Client): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    "select datname from pg_database where datname like 'tallylight\\_test\\_%'",
  );
  for (const { datname } of rows) {
    const madeAt = Number(datname.split('_')[2]);
    if (Date.now() - madeAt > LEFTOVER_AGE_MS) {
      await client.query(`drop database if exists ${datname} with (force)`);
    }
  }
}

async function onServer(serverUrl: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrlFor(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.toString();
}
