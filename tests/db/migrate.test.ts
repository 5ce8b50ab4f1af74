import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DatabaseAuthenticationError,
  DatabaseMissingError,
  DatabaseUnreachableError,
  DatabaseUrlError,
} from '../../src/db/connection-error.ts';
import {
  MigrationChangedError,
  MigrationFailedError,
  migrate,
  migrationStatus,
  requireCurrentSchema,
  SchemaNewerError,
  SchemaOutdatedError,
} from '../../src/db/migrate.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import { testDatabaseUrl } from '../support/servers.ts';
import { createEmptyDatabase, MIGRATIONS } from '../support/template.ts';

const logger = createLogger('silent');
let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
let directory: string;

beforeEach(async () => {
  database = await createEmptyDatabase(testDatabaseUrl());
  directory = await mkdtemp(path.join(tmpdir(), 'tallylight-migrations-'));
  await writeFile(path.join(directory, '0001_first.sql'), 'create table first (id integer);');
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const options = () => ({ connectionString: database.url, directory, logger });

async function tables(): Promise<string[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(
    "select tablename from pg_tables where schemaname = 'public' order by 1",
  );
  await client.end();
  return rows.map((row) => row.tablename);
}

describe('migrate', () => {
  it('applies what is pending in order, once, and says what', async () => {
    expect(await migrationStatus(options())).toEqual({ applied: [], pending: ['0001_first.sql'] });
    expect(await tables()).toEqual([]); // asking changes nothing
    expect(await migrate(options())).toEqual({ applied: ['0001_first.sql'] });
    await writeFile(path.join(directory, '0003_third.sql'), 'alter table second add name text;');
    await writeFile(path.join(directory, '0002_second.sql'), 'create table second (id integer);');
    expect(await migrate(options())).toEqual({ applied: ['0002_second.sql', '0003_third.sql'] });
    expect(await migrate(options())).toEqual({ applied: [] });
    expect(await tables()).toEqual(['first', 'schema_migration', 'second']);
    await expect(requireCurrentSchema(options())).resolves.toBeUndefined();
  });

  it('lets six processes’ worth of starts at once apply each migration once', async () => {
    await cp(MIGRATIONS, directory, { recursive: true });
    await rm(path.join(directory, '0001_first.sql'));
    const results = await Promise.all(Array.from({ length: 6 }, () => migrate(options())));
    const { applied } = await migrationStatus(options());
    expect(results.flatMap((result) => result.applied)).toEqual(applied);
  });

  it('lets two real processes start at once', async () => {
    await writeFile(
      path.join(directory, '0002_slow.sql'),
      'select pg_sleep(0.5); create table slow (id integer);',
    );
    const runs = [runMigrations(), runMigrations()];
    expect((await Promise.all(runs)).map((run) => run.code)).toEqual([0, 0]);
    expect(await migrationStatus(options())).toEqual({
      applied: ['0001_first.sql', '0002_slow.sql'],
      pending: [],
    });
  });

  it('rolls a failing migration back whole, names it, and keeps those before it', async () => {
    await writeFile(
      path.join(directory, '0002_broken.sql'),
      'create table half (id integer); select nonsense;',
    );
    await expect(migrate(options())).rejects.toThrow(
      new MigrationFailedError(
        'The migration 0002_broken.sql failed and was rolled back: column "nonsense" does not exist.',
      ),
    );
    expect(await tables()).toEqual(['first', 'schema_migration']);
    expect(await migrationStatus(options())).toEqual({
      applied: ['0001_first.sql'],
      pending: ['0002_broken.sql'],
    });
  });

  it('refuses an applied migration that was changed, and runs nothing', async () => {
    await migrate(options());
    await writeFile(path.join(directory, '0001_first.sql'), 'create table first (id bigint);');
    await writeFile(path.join(directory, '0002_second.sql'), 'create table second (id integer);');
    const refusal = new MigrationChangedError(
      'The migration 0001_first.sql is not the one that was applied to this database: restore the file; changes belong in a new migration.',
    );
    await expect(migrate(options())).rejects.toThrow(refusal);
    await expect(migrationStatus(options())).rejects.toThrow(refusal);
    expect(await tables()).toEqual(['first', 'schema_migration']);
  });

  it('takes the line ends of a Windows checkout for the same migration', async () => {
    await writeFile(path.join(directory, '0001_first.sql'), 'create table first (\n  id integer\n);\n');
    await migrate(options());
    await writeFile(path.join(directory, '0001_first.sql'), 'create table first (\r\n  id integer\r\n);\r\n');
    expect(await migrate(options())).toEqual({ applied: [] });
  });

  it('refuses a migration that slipped in before applied ones', async () => {
    await writeFile(path.join(directory, '0005_fifth.sql'), 'select 1;');
    await migrate(options());
    await writeFile(path.join(directory, '0004_late.sql'), 'create table late (id integer);');
    await expect(migrate(options())).rejects.toThrow(MigrationChangedError);
    expect(await tables()).toEqual(['first', 'schema_migration']);
  });

  it('refuses a database that a newer version made', async () => {
    await writeFile(path.join(directory, '0002_future.sql'), 'create table future (id integer);');
    await migrate(options());
    await rm(path.join(directory, '0002_future.sql'));
    const refusal = new SchemaNewerError(
      'The database was made by a newer version of Tallylight (it has the migration 0002_future.sql): install that version or a later one.',
    );
    await expect(migrate(options())).rejects.toThrow(refusal);
    await expect(requireCurrentSchema(options())).rejects.toThrow(refusal);
  });
});

describe('requireCurrentSchema', () => {
  it('refuses a database that lacks migrations, and says what to do', async () => {
    await expect(requireCurrentSchema(options())).rejects.toThrow(
      new SchemaOutdatedError(
        'The database is older than this version of Tallylight (1 migration pending): run `tallylight migrate` first.',
      ),
    );
    expect(await tables()).toEqual([]);
  });
});

describe('a wrong database URL is one clear sentence without the password', () => {
  const failure = async (connectionString: string): Promise<Error> => {
    try {
      await migrationStatus({ connectionString, directory });
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error('it did not fail');
  };

  it('not a URL', async () => {
    for (const url of ['hunter2', 'mysql://u:hunter2@h/db', 'postgres://u:hunter2@h:port/db']) {
      const error = await failure(url);
      expect(error).toBeInstanceOf(DatabaseUrlError);
      expect(error.message).toBe(
        'The database URL is not valid: it must look like postgres://user:password@host:5432/database.',
      );
    }
  });

  it('nobody there', async () => {
    const error = await failure('postgres://me:hunter2@127.0.0.1:1/db');
    expect(error).toBeInstanceOf(DatabaseUnreachableError);
    expect(error.message).toBe(
      'PostgreSQL at 127.0.0.1:1 cannot be reached (ECONNREFUSED): check that it runs and that the database URL is right.',
    );
  });

  it('no such database', async () => {
    const url = new URL(testDatabaseUrl());
    url.pathname = '/nowhere';
    const error = await failure(url.toString());
    expect(error).toBeInstanceOf(DatabaseMissingError);
    expect(error.message).toMatch(
      /^PostgreSQL at \S+ has no database "nowhere": create it, or correct the database URL\.$/,
    );
  });

  it('wrong password', async () => {
    await using server = await startPrivatePostgres();
    const url = new URL(server.url);
    url.password = 'hunter2';
    const error = await failure(url.toString());
    expect(error).toBeInstanceOf(DatabaseAuthenticationError);
    expect(error.message).toMatch(
      /^PostgreSQL at \S+ refused to let in the user "postgres": check the user name and password of the database URL\.$/,
    );
  });
});

/** `migrate` in a process of its own. */
async function runMigrations(): Promise<{ code: number }> {
  const root = path.resolve(import.meta.dirname, '../..');
  const script = `
    import { migrate } from ${JSON.stringify(path.join(root, 'src/db/migrate.ts'))};
    import { createLogger } from ${JSON.stringify(path.join(root, 'src/lib/logger.ts'))};
    await migrate({ connectionString: ${JSON.stringify(database.url)}, directory: ${JSON.stringify(directory)}, logger: createLogger('silent') });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return { code };
}
