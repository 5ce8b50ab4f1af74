import { Kysely, PostgresDialect } from 'kysely';
import { Pool, types } from 'pg';
import type { DB } from './tables.ts';

/** The tables as the newest migration leaves them. */
export type Database = DB;

/** How long to wait for a connection (a free one, or a new one being made) before giving up, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface DatabaseOptions {
  readonly connectionString: string;
  /** Connections at most. They stay open: warming one up again costs a query 200 to 300 ms at the 99th percentile. */
  readonly poolMax: number;
  /** PostgreSQL cancels a statement that runs longer, in milliseconds; 0: never. */
  readonly statementTimeoutMs: number;
  /** Names us in `pg_stat_activity`. */
  readonly applicationName: string;
}

/**
 * The database as kysely sees it. `int8` (also `count(*)`) reads as bigint, `timestamptz` as Date, `bytea` as Buffer.
 * Connects at the first query, not here. A server that went away costs the statements under way; the next ones connect anew.
 * Call `destroy()` to close it.
 */
export function createDatabase(options: DatabaseOptions): Kysely<Database> {
  const pool = new Pool({
    connectionString: options.connectionString,
    max: options.poolMax,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: options.statementTimeoutMs,
    application_name: options.applicationName,
    keepAlive: true,
    types: { getTypeParser: typeParser },
  });
  // A connection that breaks, idle or in use, fails its statement and leaves the pool. It also emits an error, for which
  // Node would end the process if nobody listened.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** pg's own parsers, except that `int8` becomes bigint instead of text. Per pool, so that nothing global changes. */
const typeParser: typeof types.getTypeParser = (oid, format) => {
  if (oid === types.builtins.INT8 && format !== 'binary') return BigInt;
  return types.getTypeParser(oid, format);
};
