import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { createDatabase } from '../../src/db/connect.ts';
import { connectClient, DatabaseTlsError, DatabaseUrlError } from '../../src/db/connection-error.ts';
import { acquireProcessLock } from '../../src/db/process-lock.ts';
import { takeProcessRole } from '../../src/db/process-role.ts';
import { createPgBossQueue } from '../../src/jobs/pg-boss-queue.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { type Authority, createAuthority, hasOpenssl } from '../support/certificates.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/private-postgres.ts';

const logger = createLogger('silent');
/** Connections of ours that the server sees, and whether they are encrypted. */
const OWN = sql<{ ssl: boolean; version: string }>`
  select ssl, version from pg_stat_ssl join pg_stat_activity using (pid) where datname = current_database()`;

describe.skipIf(!hasOpenssl())('PostgreSQL over TLS', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tallylight-pg-tls-'));
  const cleanup = new AsyncDisposableStack();
  let [ours, strangers]: [Authority?, Authority?] = [];
  let server: PrivatePostgres;
  beforeAll(async () => {
    ours = createAuthority(path.join(folder, 'ours'));
    strangers = createAuthority(path.join(folder, 'strangers'));
    server = cleanup.use(
      await startPrivatePostgres({
        tls: {
          ...ours.issue('db.test', ['IP:127.0.0.1']),
          caPath: ours.caPath,
          access: [
            'hostssl all member 127.0.0.1/32 scram-sha-256 clientcert=verify-ca',
            'hostssl all postgres 127.0.0.1/32 scram-sha-256',
            'host all plain 127.0.0.1/32 trust',
          ],
        },
      }),
    );
    const owner = await connectClient({ connectionString: withTls('verify-full'), applicationName: 'test' });
    await owner.query("create user member password 'secret'; create user plain");
    await owner.end();
  });
  afterAll(async () => {
    await cleanup.disposeAsync();
    rmSync(folder, { recursive: true, force: true });
  });

  function withTls(mode: string, more: Readonly<Record<string, string>> = {}): string {
    const url = new URL(server.url);
    const parameters = { sslmode: mode, sslrootcert: ours?.caPath ?? '', ...more };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.toString();
  }

  it('is what pool, job queue, migrations, lock and roles all speak when the URL says so [T-T7]', async () => {
    const connectionString = withTls('verify-full');
    await prepareDatabase({ connectionString, logger });
    const lock = await acquireProcessLock({ connectionString });
    const asApi = await takeProcessRole({ connectionString, process: 'api', logger });
    expect(asApi.role).toBe('tallylight_api');
    const jobs = await createPgBossQueue({
      ...asApi,
      connectionString: asApi.connectionString,
      role: 'sender',
      install: false,
      logger,
    });
    const db = createDatabase({
      connectionString,
      poolMax: 2,
      statementTimeoutMs: 5_000,
      applicationName: 'test',
    });
    try {
      const { rows } = await OWN.execute(db);
      expect(rows.length).toBeGreaterThanOrEqual(3);
      expect(new Set(rows.map(({ ssl, version }) => `${ssl} ${version}`))).toEqual(new Set(['true TLSv1.3']));
    } finally {
      await db.destroy();
      await jobs.stop();
      await lock?.release();
    }
  });

  it.each(['verify-full', 'require'])(
    'refuses a server whose certificate is of another authority, with sslmode=%s [T-T7] [T-S6]',
    async (mode) => {
      const connectionString = withTls(mode, { sslrootcert: strangers?.caPath ?? '' });
      await expect(connectClient({ connectionString, applicationName: 'test' })).rejects.toThrow(
        DatabaseTlsError,
      );
      const db = createDatabase({
        connectionString,
        poolMax: 1,
        statementTimeoutMs: 5_000,
        applicationName: 'test',
      });
      await expect(sql`select 1`.execute(db)).rejects.toThrow(/certificate/);
      await db.destroy();
      await expect(createPgBossQueue({ connectionString, role: 'sender', logger })).rejects.toThrow(
        /certificate/,
      );
    },
  );

  it('refuses a server whose certificate is for another host [T-T7]', async () => {
    const connectionString = withTls('verify-full').replace('127.0.0.1', 'localhost');
    await expect(connectClient({ connectionString, applicationName: 'test' })).rejects.toThrow(
      /is not to be trusted.*sslrootcert/,
    );
  });

  it.each(['verify-full', 'require'])(
    'does not go on in the clear when the server speaks no TLS, with sslmode=%s [T-T7]',
    async (mode) => {
      await using plain = await startPrivatePostgres();
      const connectionString = `${plain.url}?sslmode=${mode}`;
      await expect(connectClient({ connectionString, applicationName: 'test' })).rejects.toThrow(
        DatabaseTlsError,
      );
    },
  );

  it('shows a client certificate when the URL names one, and is not let in without [T-S6]', async () => {
    const member = withTls('verify-full').replace(/\/\/postgres:[^@]+@/, '//member:secret@');
    await expect(connectClient({ connectionString: member, applicationName: 'test' })).rejects.toThrow(
      /refused/,
    );
    const client = ours?.issue('member');
    const connectionString = `${member}&sslcert=${client?.certPath}&sslkey=${client?.keyPath}`;
    const connection = await connectClient({ connectionString, applicationName: 'test' });
    expect((await connection.query('select current_user as name')).rows).toEqual([{ name: 'member' }]);
    await connection.end();
  });

  it('names the file of the URL that cannot be read', async () => {
    const connectionString = withTls('verify-full', { sslrootcert: '/nowhere/ca.crt' });
    const attempt = connectClient({ connectionString, applicationName: 'test' });
    await expect(attempt).rejects.toThrow(DatabaseUrlError);
    await expect(attempt).rejects.toThrow(/\/nowhere\/ca\.crt.*ENOENT/);
  });
});
