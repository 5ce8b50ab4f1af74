import { randomBytes } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportAuditLog } from '../../src/audit/export.ts';
import { type AuditNote, startAuditLog } from '../../src/audit/log.ts';
import { actOf } from '../../src/audit/mutation.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { ANONYMOUS } from '../../src/auth/viewer.ts';
import { idFromUuid, newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { open } from '../../src/privacy/envelope.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { schema } from '../../src/schema/index.ts';
import { insertBareUser } from '../support/account.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const clock = { now: Date.UTC(2030, 0, 1), nowMs: () => clock.now };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const channelId = newId('channel', 1);

const note: AuditNote = {
  actorKind: 'OPERATOR',
  actorId: newId('accessKey', 2),
  role: 'OWNER',
  channelId,
  action: 'channelDisconnect',
  target: channelId,
  requestId: 'req-1',
  details: { channelId, role: 'OWNER' },
  address: '192.0.2.1',
};
const done = { outcome: 'DONE', code: null } as const;

async function openLog(database: TestDatabase) {
  const { db } = database;
  const vault = createVault({ db, masterKey, clock });
  const log = await startAuditLog({ db, vault, masterKey, clock, logger: createLogger('silent') });
  return { db, vault, log, verify: () => verifyAuditLog({ db, masterKey }, { pageEntries: 3 }) };
}

describe('the audit log', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  it('chains 50 entries that are added at the same time, without a hole [T-R1]', async () => {
    const { log, verify } = await openLog(database);
    await Promise.all(Array.from({ length: 50 }, () => log.record({ ...note, ...done })));
    expect(await verify()).toMatchObject({ intact: true, entries: 50n });
  });

  it('refuses to change, delete or truncate entries [T-R1]', async () => {
    const { db } = database;
    for (const attack of [
      sql`update audit_entry set outcome = 'REFUSED' where sequence = 1`,
      sql`delete from audit_entry where sequence = 1`,
      sql`truncate audit_entry`,
      sql`delete from audit_head`,
    ]) {
      await expect(attack.execute(db)).rejects.toThrow('append-only');
    }
  });

  it('has exactly one entry, with an unknown outcome, for what a dead process began [T-R1]', async () => {
    const { db, log, verify } = await openLog(database);
    await log.begin({ ...note, action: 'crashed' });
    expect(await log.recover()).toBe(0);
    clock.now += 61_000;
    const { log: next } = await openLog(database);
    await Promise.all([next.recover(), log.recover()]);
    const { rows } = await sql`select outcome from audit_entry where action = 'crashed'`.execute(db);
    expect(rows).toEqual([{ outcome: 'UNKNOWN' }]);
    expect(await verify()).toMatchObject({ intact: true });
  });

  it('has exactly one entry for what was finished, with what was learnt, and the address sealed', async () => {
    const { db, vault, log } = await openLog(database);
    const userId = await insertBareUser({ db, vault });
    const pending = await log.begin({ ...note, actorKind: 'ANONYMOUS', actorId: null, action: 'signIn' });
    await pending.finish(done, { actorKind: 'USER', actorId: userId });
    clock.now += 61_000;
    await log.recover();
    const { rows } = await sql<{ id: string; address: Buffer }>`
      select id, outcome, actor_id, address from audit_entry where action = 'signIn'`.execute(db);
    expect(rows).toMatchObject([{ outcome: 'DONE', actor_id: userId }]);
    const key = (await vault.dataKeys([userId], { create: false })).get(userId);
    const [row] = rows;
    if (key === undefined || row === undefined) throw new Error('the key and the entry are there');
    expect(row.address.includes('192.0.2.1')).toBe(false);
    const context = sealContext.auditAddress(idFromUuid('auditEntry', row.id));
    expect(open(key, context, row.address).toString()).toBe('192.0.2.1');
  });

  it('has a second entry that corrects the first when who did it was only slow', async () => {
    const { db, log, verify } = await openLog(database);
    const pending = await log.begin({ ...note, action: 'slow' });
    clock.now += 61_000;
    await log.recover();
    await pending.finish(done);
    const { rows } = await sql<{ id: string; outcome: string; corrects: string | null }>`
      select id, outcome, details->>'corrects' as corrects from audit_entry where action = 'slow' order by sequence`.execute(
      db,
    );
    expect(rows).toMatchObject([
      { outcome: 'UNKNOWN', corrects: null },
      { outcome: 'DONE', corrects: idFromUuid('auditEntry', rows[0]?.id ?? '') },
    ]);
    expect(await verify()).toMatchObject({ intact: true });
  });

  it('writes one entry for all that strangers were refused', async () => {
    const { db, log } = await openLog(database);
    for (let i = 0; i < 1_000; i += 1) log.countRefusal({ action: 'userDisable', code: 'UNAUTHENTICATED' });
    await log.flush();
    const { rows } =
      await sql`select details->>'count' as count from audit_entry where action = 'userDisable'`.execute(db);
    expect(rows).toEqual([{ count: '1000' }]);
  });

  it('is exported as one line of JSON an entry', async () => {
    const lines: string[] = [];
    for await (const line of exportAuditLog(database.db)) lines.push(line);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ sequence: 1, action: 'channelDisconnect' });
  });
});

describe('an attacker with all rights in the database, but no master key', () => {
  const bytes = `decode(repeat('ab', 32), 'hex')`;
  const changes: readonly [string, RawBuilder<unknown>, bigint][] = [
    ...[
      `id = gen_random_uuid()`,
      `at = at + interval '1 ms'`,
      `actor_kind = 'SYSTEM'`,
      `actor_id = null`,
      `role = 'VIEWER'`,
      `channel_id = null`,
      `action = 'signOut'`,
      `target = null`,
      `outcome = 'REFUSED'`,
      `code = 'X'`,
      `request_id = 'req-2'`,
      `address = 'x'`,
      `details = '{}'`,
      `previous_hash = ${bytes}`,
      `hash = ${bytes}`,
    ].map((change): [string, RawBuilder<unknown>, bigint] => [
      change,
      sql`update audit_entry set ${sql.raw(change)} where sequence = 5`,
      5n,
    ]),
    ['deleting an entry', sql`delete from audit_entry where sequence = 5`, 5n],
    ['cutting off the end', sql`delete from audit_entry where sequence >= 8`, 8n],
    [
      'cutting off the end, and the head with it',
      sql`with gone as (delete from audit_entry where sequence >= 8)
        update audit_head set sequence = 7, hash = (select hash from audit_entry where sequence = 7)`,
      7n,
    ],
    [
      'swapping two entries',
      sql`update audit_entry set sequence = 100 where sequence = 5;
        update audit_entry set sequence = 5 where sequence = 6;
        update audit_entry set sequence = 6 where sequence = 100`,
      5n,
    ],
    ['taking the seal off the head', sql`update audit_head set seal = null`, 10n],
    ['taking the head away', sql`delete from audit_head`, 10n],
    [
      'adding an entry',
      sql`insert into audit_entry select 11, gen_random_uuid(), at, actor_kind, actor_id, role, channel_id, action, target,
        outcome, code, request_id, address, details, hash, hash from audit_entry where sequence = 10`,
      11n,
    ],
  ];

  it.each(changes)('is found out after %s [T-R1]', async (_what, attack, sequence) => {
    await using database = await createTestDatabase();
    const { log, verify } = await openLog(database);
    for (let i = 0; i < 10; i += 1) await log.record({ ...note, ...done });
    expect(await verify()).toMatchObject({ intact: true, entries: 10n });
    await sql`alter table audit_entry disable trigger all`.execute(database.db);
    await sql`alter table audit_head disable trigger all`.execute(database.db);
    await attack.execute(database.db);
    expect(await verify()).toMatchObject({ intact: false, sequence });
  });

  it('is found out by a noted place after putting back the whole log [T-R1]', async () => {
    await using database = await createTestDatabase();
    const { db, log, verify } = await openLog(database);
    await log.record({ ...note, ...done });
    const { rows } = await sql<{ hash: Buffer; seal: Buffer }>`select * from audit_head`.execute(db);
    await log.record({ ...note, ...done });
    const before = await verify();
    if (!before.intact) throw new Error('the log is as it was written');
    await sql`alter table audit_entry disable trigger all`.execute(db);
    await sql`delete from audit_entry where sequence = 2`.execute(db);
    await sql`update audit_head set sequence = 1, hash = ${rows[0]?.hash}, seal = ${rows[0]?.seal}`.execute(
      db,
    );
    const noted = { sequence: before.entries, hash: before.hash };
    expect(await verifyAuditLog({ db, masterKey }, { noted })).toMatchObject({ intact: false, sequence: 2n });
  });
});

describe('what the log keeps of a mutation', () => {
  it('is there for every mutation of the schema', () => {
    const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
    expect(fields.length).toBeGreaterThan(0);
    expect(fields.filter(({ extensions }) => extensions.audited !== true).map(({ name }) => name)).toEqual(
      [],
    );
  });

  it('is ids, roles and scopes, and never what names a person or opens anything [T-R1]', () => {
    const canary = 'canary@example.org';
    const input = {
      email: canary,
      password: canary,
      token: canary,
      reason: canary,
      role: canary,
      userId: canary,
      scopes: [canary, 'EVENTS_READ'],
      channelId,
      clientId: newId('client', 9),
    };
    const act = actOf('clientCreate', { viewer: ANONYMOUS, input, requestId: 'req' });
    expect(JSON.stringify(act)).not.toContain(canary);
    expect(act).toMatchObject({
      channelId,
      target: input.clientId,
      details: { scopes: ['EVENTS_READ'], clientId: input.clientId },
    });
  });
});
