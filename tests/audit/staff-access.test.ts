import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listAuditEntries } from '../../src/audit/list.ts';
import { startAuditLog } from '../../src/audit/log.ts';
import { openStaffAccess, STAFF_ACCESS_MS } from '../../src/audit/staff-access.ts';
import { userViewers } from '../../src/auth/user-viewer.ts';
import type { SignedInUser } from '../../src/auth/viewer.ts';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { AppContext } from '../../src/context.ts';
import { type ChannelId, newId, type UserId, uuidFromId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { connectChannel } from '../../src/live/channels.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../src/privacy/vault.ts';
import { mayReadPersonal } from '../../src/resolvers/redaction.ts';
import { insertBareUser } from '../support/account.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const clock = { now: Date.UTC(2030, 0, 1), nowMs: () => clock.now };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const bus = createInProcessBus({ clock });
const reason = 'A creator asked for help with gifts.';
let database: TestDatabase;
let vault: Vault;
let userId: UserId;
let channelId: ChannelId;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  vault = createVault({ db, masterKey, clock });
  userId = await insertBareUser({ db, vault }, { role: 'COMPLIANCE' });
  // Staff must have a second factor.
  await sql`insert into totp_factor (user_id, secret, created_at, confirmed_at)
    values (${uuidFromId(userId)}, '\\x00', now(), now())`.execute(db);
  const channel = await connectChannel(
    { db, bus, clock, masterKey },
    { handle: 'staff.one', provider: 'TIKTOK' },
  );
  channelId = channel.id;
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await bus.close();
});

async function viewer(): Promise<SignedInUser> {
  const credential = { kind: 'SESSION', id: newId('signIn', 1) } as const;
  const holding = { userId, credential, signedInAt: clock.now, mfaAt: clock.now };
  const [found] = await userViewers({ db: database.db, clock }, [holding]);
  if (found === null || found === undefined) throw new Error('the user may sign in');
  return found;
}

const open = (text: string) =>
  openStaffAccess({ db: database.db, vault, bus, clock }, { userId, channelId, reason: text });

it('opens no channel to staff without a reason, and none that is not there [T-R3]', async () => {
  await expect(open('  because  ')).rejects.toThrow('reason');
  const request = { userId, channelId: newId('channel', 9), reason };
  await expect(openStaffAccess({ db: database.db, vault, bus, clock }, request)).rejects.toThrow('channel');
  expect((await viewer()).staffAccess.size).toBe(0);
});

it('leaves one entry a request and channel when staff read personal data, and closes after half an hour [T-R3]', async () => {
  const { db } = database;
  const row = await open(reason);
  expect(row.reason.includes('gifts')).toBe(false);
  const staff = await viewer();
  expect([...staff.staffAccess]).toEqual([channelId]);
  const audit = await startAuditLog({ db, vault, masterKey, clock, logger: createLogger('silent') });
  const requestInfo = { address: '192.0.2.1', userAgent: null, origin: null, transport: 'HTTP' };
  const context = {
    viewer: staff,
    reader: staff,
    requestInfo,
    requestId: 'req-1',
    services: { audit },
    staffReads: new Map(),
  };
  // Only what is asked of the context.
  for (let i = 0; i < 3; i += 1)
    expect(await mayReadPersonal(context as unknown as AppContext, channelId, 'PII_READ')).toBe(true);
  const filter = { actorId: userId, channelId, action: null, outcome: null, from: null, to: null };
  const { items } = await listAuditEntries({ db }, { filter, first: 10, after: null });
  expect(items).toMatchObject([{ action: 'personalDataRead', outcome: 'DONE', role: 'COMPLIANCE' }]);
  clock.now += STAFF_ACCESS_MS;
  expect((await viewer()).staffAccess.size).toBe(0);
});
