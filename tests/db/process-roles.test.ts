import { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { applyProcessGrants, type ProcessName, takeProcessRole } from '../../src/db/process-role.ts';
import { createPgBossQueue } from '../../src/jobs/pg-boss-queue.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/private-postgres.ts';
import { testDatabaseUrl } from '../support/servers.ts';
import { createEmptyDatabase } from '../support/template.ts';

const logger = createLogger('silent');
const ROLES = ['tallylight_api', 'tallylight_ingest', 'tallylight_worker'];
const UUID = '00000000-0000-4000-8000-000000000001';

let database: TestDatabase;
let owner: Client;
const clients = new Map<ProcessName, Client>();
beforeAll(async () => {
  database = await createTestDatabase();
  owner = await connected(database.url);
  for (const process of ['api', 'ingest', 'worker'] as const) {
    const { connectionString, role } = await takeProcessRole({
      connectionString: database.url,
      process,
      logger,
    });
    expect(role).toBe(`tallylight_${process}`);
    clients.set(process, await connected(connectionString));
  }
});
afterAll(async () => {
  for (const client of [owner, ...clients.values()]) await client.end();
  await database[Symbol.asyncDispose]();
});

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Whether a statement is the business of a process: `DENIED`, or anything else that came of it. */
async function tried(process: ProcessName, sql: string): Promise<string> {
  const client = clients.get(process);
  try {
    await client?.query('begin');
    await client?.query(sql);
    return 'DONE';
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return error.code === '42501' ? 'DENIED' : `FAILED ${error.code}`;
  } finally {
    await client?.query('rollback');
  }
}

describe('the roles of the processes', () => {
  it.each<[ProcessName, string]>([
    ['api', `insert into event select * from event`],
    ['api', 'insert into stream_total select * from stream_total'],
    ['api', 'update event set payload = payload'],
    ['api', 'delete from event'],
    ['api', 'truncate event'],
    ['api', `update audience_member set profile = profile`],
    ['api', `select ensure_event_partition('2030-01-01')`],
    ['api', 'create table mine (id integer)'],
    ['api', 'update process_grant set privileges = $$all$$'],
    ['api', 'delete from schema_migration'],
    ['ingest', 'insert into event select * from event'],
    ['ingest', 'select from app_user'],
    ['ingest', 'select from user_session'],
    ['ingest', 'select from access_key'],
    ['ingest', 'select from channel_member'],
    ['ingest', 'select from tallylight_jobs.job'],
    ['ingest', 'delete from subject_key'],
    ['worker', 'select password_hash from app_user'],
    ['worker', 'select from user_session'],
    ['worker', 'select from access_key'],
    ['worker', 'update event set payload = payload'],
    ['worker', 'delete from event'],
  ])('refuse %s what is not its work: %s [T-S6] [T-T3]', async (process, sql) => {
    expect(await tried(process, sql)).toBe('DENIED');
  });

  it.each<[ProcessName, string]>([
    ['api', `insert into channel (id, provider, handle) values ('${UUID}', 'TIKTOK', 'someone')`],
    ['api', 'select from event'],
    ['ingest', 'select from channel'],
    ['ingest', `insert into sign_budget values (decode(repeat('00', 32), 'hex'), 1, now(), null)`],
    ['worker', `select ensure_event_partition('2030-01-01')`],
    ['worker', `insert into channel_sequence values ('${UUID}', 1)`],
  ])('let %s do its work: %s', async (process, sql) => {
    expect(await tried(process, sql)).toBe('DONE');
  });

  it('leave nobody but the retention role a way to change or delete an event or an entry of the audit log [T-S6] [T-T3]', async () => {
    const { rows } = await owner.query(
      `
      select r.rolname as role, c.relname as relation from pg_class c, pg_roles r
      where c.relkind in ('r', 'p') and (c.relname ~ '^event(_\\d+)?$' or c.relname ~ '^audit_entry')
        and r.rolname = any ($1) and has_table_privilege(r.oid, c.oid, 'update, delete, truncate')`,
      [ROLES],
    );
    expect(rows).toEqual([]);
  });

  it('lend the rights of the owner by one function only, and to the worker only [T-S6]', async () => {
    const { rows } = await owner.query(
      `
      select p.proname as name, array(
        select r.rolname from pg_roles r
        where r.rolname = any ($1) and has_function_privilege(r.oid, p.oid, 'execute')
      )::text[] as lent
      from pg_proc p where p.pronamespace = current_schema()::regnamespace and p.prosecdef`,
      [ROLES],
    );
    expect(rows).toEqual([{ name: 'ensure_event_partition', lent: ['tallylight_worker'] }]);
  });

  it('know every table of the database: who makes one says who may use it', async () => {
    const { rows } = await owner.query(`
      select c.relname from pg_class c
      where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
        and not exists (select from process_grant g where g.relation = c.relname)`);
    expect(rows).toEqual([]);
  });

  it('have the privileges of the table of grants and no others, whatever was granted besides', async () => {
    await owner.query('grant all on app_user to tallylight_ingest');
    expect(await applyProcessGrants({ connectionString: database.url, logger })).toBe(true);
    expect(await tried('ingest', 'select from app_user')).toBe('DENIED');
    expect(await tried('ingest', 'select from channel')).toBe('DONE');
  });

  it('stay after RESET ROLE, which a smuggled statement might try', async () => {
    const api = clients.get('api');
    await api?.query('reset role');
    expect((await api?.query('select current_user as name'))?.rows).toEqual([{ name: 'tallylight_api' }]);
  });

  it('let the worker run jobs on tables that it does not own', async () => {
    const { connectionString } = await takeProcessRole({
      connectionString: database.url,
      process: 'worker',
      logger,
    });
    const queue = await createPgBossQueue({ connectionString, role: 'worker', install: false, logger });
    await queue.stop();
  });
});

describe('a database whose roles cannot be taken', () => {
  it('is used with the rights of the login user, and a warning says so', async () => {
    await using empty = await createEmptyDatabase(testDatabaseUrl());
    const user = `tallylight_test_login_${process.pid}`;
    const name = new URL(empty.url).pathname.slice(1);
    await owner.query(`create user ${user} password 'secret'`);
    try {
      const url = new URL(empty.url);
      url.username = user;
      url.password = 'secret';
      const lines: string[] = [];
      const taken = await takeProcessRole({
        connectionString: url.toString(),
        process: 'api',
        logger: createLogger('warn', { write: (line) => void lines.push(line) }),
      });
      expect(taken).toEqual({ connectionString: url.toString(), role: null });
      expect(lines.join('')).toMatch(/database\.role_not_taken/);
      expect(lines.join('')).toMatch(/permission denied to set role/);
      expect(lines.join('')).not.toContain('secret@');
      expect(name).toMatch(/^tallylight_test_/);
    } finally {
      await owner.query(`drop user ${user}`);
    }
  });

  it('is used with them by a login user that is a member of one role only, and gets that one', async () => {
    const user = `tallylight_test_member_${process.pid}`;
    await owner.query(`create user ${user} password 'secret' in role tallylight_ingest`);
    try {
      const url = new URL(database.url);
      url.username = user;
      url.password = 'secret';
      const connectionString = url.toString();
      expect((await takeProcessRole({ connectionString, process: 'ingest', logger })).role).toBe(
        'tallylight_ingest',
      );
      expect((await takeProcessRole({ connectionString, process: 'api', logger })).role).toBeNull();
    } finally {
      await owner.query(`drop user ${user}`);
    }
  });
});

describe('a database on a server of somebody else', { timeout: 60_000 }, () => {
  const cleanup = new AsyncDisposableStack();
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = cleanup.use(await startPrivatePostgres());
  });
  afterAll(() => cleanup.disposeAsync());

  /** A database of its own for an owner who is no superuser. */
  async function ownedDatabase(name: string, rights: string): Promise<string> {
    const admin = await connected(server.url);
    await admin.query(`create user ${name} password 'secret' ${rights}`);
    await admin.query(`create database ${name} owner ${name}`);
    await admin.end();
    const url = new URL(server.url);
    Object.assign(url, { username: name, password: 'secret', pathname: `/${name}` });
    return url.toString();
  }
  const roleTaken = async (connectionString: string, process: ProcessName) =>
    (await takeProcessRole({ connectionString, process, logger })).role;

  it('gets its roles from an owner who may make roles, and he may become each of them', async () => {
    const connectionString = await ownedDatabase('maker', 'createrole');
    await prepareDatabase({ connectionString, logger });
    for (const process of ['api', 'ingest', 'worker'] as const) {
      expect(await roleTaken(connectionString, process)).toBe(`tallylight_${process}`);
    }
    const worker = await takeProcessRole({ connectionString, process: 'worker', logger });
    const queue = await createPgBossQueue({ ...worker, role: 'worker', install: false, logger });
    await queue.stop();
  });

  it('works without them for an owner who may not, until an administrator grants them', async () => {
    // The roles are there: the first owner made them.
    const connectionString = await ownedDatabase('tenant', '');
    await prepareDatabase({ connectionString, logger });
    expect(await roleTaken(connectionString, 'api')).toBeNull();
    const admin = await connected(server.url);
    await admin.query('grant tallylight_api to tenant');
    await admin.end();
    expect(await roleTaken(connectionString, 'api')).toBe('tallylight_api');
    const api = await connected(
      (await takeProcessRole({ connectionString, process: 'api', logger })).connectionString,
    );
    await api.query('select from channel');
    await expect(api.query('delete from event')).rejects.toThrow(/permission denied/);
    await api.end();
  });
});
