import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Appender } from '../../src/audit/appender.ts';
import { createAuditChain } from '../../src/audit/chain.ts';
import type { AuditContent } from '../../src/audit/entry.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { insertAuditIntent } from '../../src/db/audit-log.ts';
import { newId } from '../../src/lib/ids.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
let database: TestDatabase;
let transactions = 0;
/** Two processes of one installation. */
let appenders: readonly [Appender, Appender];
beforeAll(async () => {
  database = await createTestDatabase();
  const db = database.db.withPlugin({
    transformQuery: ({ node }) => {
      if (String('sqlFragments' in node ? node.sqlFragments : '').includes('lockAuditHead'))
        transactions += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const chain = createAuditChain(masterKey);
  appenders = [new Appender(db, chain), new Appender(db, chain)];
});
beforeEach(() => {
  transactions = 0;
});
afterAll(() => database[Symbol.asyncDispose]());

function entry(action: string): AuditContent {
  return {
    id: newId('auditEntry', 1_700_000_000_000),
    at: 1_700_000_000_000,
    actorKind: 'SYSTEM',
    actorId: null,
    role: null,
    channelId: null,
    action,
    target: null,
    requestId: null,
    address: null,
    details: {},
    outcome: 'DONE',
    code: null,
  };
}
const stored = async (action: string) =>
  (await database.db.selectFrom('audit_entry').select('id').where('action', '=', action).execute()).length;

describe('entries that are added at once', () => {
  it('[T-R1] go together, each is there when it is said to be, and the chain of two processes has no hole', async () => {
    const seen: boolean[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const content = entry('together');
        const added = await appenders[index % 2 === 0 ? 0 : 1].add(content, null);
        const row = await database.db
          .selectFrom('audit_entry')
          .select('id')
          .where('action', '=', 'together')
          .where('id', '=', content.id.slice(4))
          .execute();
        seen.push(added && row.length === 1);
      }),
    );
    expect(seen).toEqual(Array.from({ length: 200 }, () => true));
    expect(await stored('together')).toBe(200);
    // One by one it would be as many transactions as entries.
    expect(transactions).toBeLessThan(20);
    expect(await verifyAuditLog({ db: database.db, masterKey })).toMatchObject({
      intact: true,
      entries: 200n,
    });
  });

  it('[T-R1] do not fail with one that cannot be stored', async () => {
    const [appender] = appenders;
    const all = [entry('good'), entry('b\0d'), entry('good'), entry('good')];
    const results = await Promise.allSettled(all.map((content) => appender.add(content, null)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await stored('good')).toBe(3);
    expect(await verifyAuditLog({ db: database.db, masterKey })).toMatchObject({ intact: true });
  });

  it('[T-R1] take away what was noted before, and add nothing where it is gone', async () => {
    const [appender] = appenders;
    const contents = [entry('noted'), entry('noted'), entry('noted')] as const;
    const [first, , third] = contents;
    for (const { outcome: _outcome, code: _code, ...intent } of [first, third]) {
      await insertAuditIntent(database.db, intent);
    }
    const added = await Promise.all(contents.map((content) => appender.add(content, content.id)));
    expect(added).toEqual([true, false, true]);
    expect(await stored('noted')).toBe(2);
    expect(await database.db.selectFrom('audit_intent').select('id').execute()).toEqual([]);
  });
});
