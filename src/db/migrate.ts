import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import { UserError } from '../errors/errors.ts';
import { assert } from '../lib/assert.ts';
import type { Logger } from '../lib/logger.ts';
import { connectClient } from './connection-error.ts';

/** Names the advisory lock under which migrations run: any fixed number that nothing else in the database locks. */
const MIGRATION_LOCK = 7_105_291_004;

export interface MigrateOptions {
  readonly connectionString: string;
  /** The folder of the `.sql` files. */
  readonly directory: string;
  readonly logger: Logger;
}

export interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

/** The database has migrations that this version of Tallylight does not know. */
export class SchemaNewerError extends UserError {
  override readonly name = 'SchemaNewerError';
  readonly code = 'SCHEMA_NEWER';
}

/** The database lacks migrations, and the process that noticed does not migrate. */
export class SchemaOutdatedError extends UserError {
  override readonly name = 'SchemaOutdatedError';
  readonly code = 'SCHEMA_OUTDATED';
}

/** A migration file was changed, or slipped in before others, after the database had gone past it. */
export class MigrationChangedError extends UserError {
  override readonly name = 'MigrationChangedError';
  readonly code = 'MIGRATION_CHANGED';
}

/** PostgreSQL refused a migration; it was rolled back whole. */
export class MigrationFailedError extends UserError {
  override readonly name = 'MigrationFailedError';
  readonly code = 'MIGRATION_FAILED';
}

/**
 * Applies the pending migrations in order, each in its own transaction, and names them. Two processes may start at once:
 * the second waits for the first and then finds nothing to do.
 * @throws SchemaNewerError, MigrationChangedError, MigrationFailedError, and what `connectClient` throws.
 */
export async function migrate(options: MigrateOptions): Promise<{ applied: readonly string[] }> {
  const files = await readMigrations(options.directory);
  const client = await connectClient({ ...options, applicationName: 'tallylight migrate' });
  try {
    // Held by the session, not by a transaction, and gone with it should we die.
    await client.query('/* lockMigrations */ select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(`/* createMigrationTable */ create table if not exists schema_migration (
      name text primary key,
      checksum bytea not null,
      applied_at timestamptz not null default now()
    )`);
    const pending = compare(files, await selectApplied(client));
    for (const file of pending) {
      await apply(client, file);
      options.logger.info({ migration: file.name }, 'migration.applied');
    }
    return { applied: pending.map((file) => file.name) };
  } finally {
    await client.end();
  }
}

/**
 * What is applied and what is not. Changes nothing.
 * @throws SchemaNewerError, MigrationChangedError, and what `connectClient` throws.
 */
export async function migrationStatus(options: Omit<MigrateOptions, 'logger'>): Promise<MigrationStatus> {
  const files = await readMigrations(options.directory);
  const client = await connectClient({ ...options, applicationName: 'tallylight migrate' });
  try {
    const table = await client.query(
      `/* findMigrationTable */ select to_regclass('schema_migration') is not null as found`,
    );
    const applied = table.rows[0].found ? await selectApplied(client) : [];
    const pending = compare(files, applied);
    return { applied: applied.map((row) => row.name), pending: pending.map((file) => file.name) };
  } finally {
    await client.end();
  }
}

/**
 * For processes that do not migrate: returns only when the database is as this version needs it.
 * @throws SchemaOutdatedError, and what `migrationStatus` throws.
 */
export async function requireCurrentSchema(options: Omit<MigrateOptions, 'logger'>): Promise<void> {
  const { pending } = await migrationStatus(options);
  if (pending.length === 0) return;
  throw new SchemaOutdatedError(
    `The database is older than this version of Tallylight (${pending.length} migration${pending.length === 1 ? '' : 's'} pending): run \`tallylight migrate\` first.`,
  );
}

interface MigrationFile {
  readonly name: string;
  readonly sql: string;
  readonly checksum: Buffer;
}

interface AppliedMigration {
  readonly name: string;
  readonly checksum: Buffer;
}

async function readMigrations(directory: string): Promise<readonly MigrationFile[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const numbers = new Set(names.map((name) => name.slice(0, 4)));
  assert(
    names.every((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)) && numbers.size === names.length,
    'migrations are named 0001_what_it_does.sql, each with its own number',
  );
  return Promise.all(
    names.map(async (name) => {
      // A checkout on Windows may have changed the line ends: that is not another migration.
      const sql = (await readFile(path.join(directory, name), 'utf8')).replaceAll('\r\n', '\n');
      return { name, sql, checksum: createHash('sha256').update(sql).digest() };
    }),
  );
}

async function selectApplied(client: Client): Promise<readonly AppliedMigration[]> {
  const result = await client.query<AppliedMigration>(
    '/* selectMigrations */ select name, checksum from schema_migration order by name',
  );
  return result.rows;
}

/** The files still to apply. Throws unless the applied ones are exactly the first files, unchanged. */
function compare(
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[],
): readonly MigrationFile[] {
  const known = new Map(files.map((file) => [file.name, file]));
  for (const row of applied) {
    const file = known.get(row.name);
    if (file === undefined) {
      throw new SchemaNewerError(
        `The database was made by a newer version of Tallylight (it has the migration ${row.name}): install that version or a later one.`,
      );
    }
    if (!file.checksum.equals(row.checksum)) {
      throw new MigrationChangedError(
        `The migration ${row.name} is not the one that was applied to this database: restore the file; changes belong in a new migration.`,
      );
    }
  }
  const pending = files.filter((file) => !applied.some((row) => row.name === file.name));
  const newest = applied.at(-1);
  const early = pending.find((file) => newest !== undefined && file.name < newest.name);
  if (early !== undefined) {
    throw new MigrationChangedError(
      `The migration ${early.name} comes before others that this database already has: give it a higher number.`,
    );
  }
  return pending;
}

async function apply(client: Client, file: MigrationFile): Promise<void> {
  try {
    await client.query('begin');
    await client.query(file.sql);
    await client.query(
      '/* insertMigration */ insert into schema_migration (name, checksum) values ($1, $2)',
      [file.name, file.checksum],
    );
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback').catch(() => undefined);
    const message = cause instanceof Error ? cause.message : 'unknown reason';
    throw new MigrationFailedError(`The migration ${file.name} failed and was rolled back: ${message}.`, {
      cause,
    });
  }
}
