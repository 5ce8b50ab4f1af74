import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Access, createAccess, keepsRights } from '../../src/auth/access.ts';
import { accessKeyCredential } from '../../src/auth/access-key-credential.ts';
import { ensureAccessKeys, operatorKey } from '../../src/auth/access-keys.ts';
import { notifyAccessChanged } from '../../src/auth/access-topic.ts';
import { sessionCredential } from '../../src/auth/session-credential.ts';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../src/auth/sessions/session-store.ts';
import type { SignedInUser } from '../../src/auth/viewer.ts';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { newId, uuidFromId } from '../../src/lib/ids.ts';
import { connectChannel } from '../../src/live/channels.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { insertBareUser } from '../support/account.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const clock = { now: Date.UTC(2030, 0, 1), nowMs: () => clock.now };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const bus = createInProcessBus({ clock });
const BROWSER = { mfaAt: null, userAgent: null, address: null };
let database: TestDatabase;
let sessions: SessionStore;
let access: Access;
let statements = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  const db = database.db.withPlugin({
    transformQuery: ({ node }) => {
      statements += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const vault = createVault({ db, masterKey, clock });
  sessions = createSessionStore({ db, vault, bus, clock }, DEFAULT_SESSION_OPTIONS);
  access = await createAccess({ bus, clock }, [
    accessKeyCredential({ db }),
    sessionCredential({ db, sessions, clock }),
  ]);
});
afterAll(async () => {
  await access.stop();
  await database[Symbol.asyncDispose]();
  await bus.close();
});

const newUser = (role: 'USER' | 'ADMIN' = 'USER') =>
  insertBareUser({ db: database.db, vault: createVault({ db: database.db, masterKey, clock }) }, { role });
const byCookie = (token: string) => access.authenticate({ kind: 'COOKIE', token });

describe('access', () => {
  it('tells who a session is, and what they may', async () => {
    const userId = await newUser();
    const channel = await connectChannel(
      { db: database.db, bus, clock, masterKey },
      { handle: 'access.one', provider: 'TIKTOK' },
    );
    await sql`insert into channel_member (channel_id, user_id, role) values (${uuidFromId(channel.id)}, ${uuidFromId(userId)}, 'MODERATOR')`.execute(
      database.db,
    );
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    expect(await byCookie(token)).toEqual({
      kind: 'USER',
      userId,
      platformRole: 'USER',
      emailVerified: true,
      credential: { kind: 'SESSION', id: session.id },
      mfa: 'NOT_REQUIRED',
      freshUntilMs: clock.now + 5 * 60_000,
      memberships: new Map([[channel.id, 'MODERATOR']]),
      staffAccess: new Set(),
    });
  });

  it('never takes a session as a bearer credential, nor a key as a cookie [T-S3]', async () => {
    const { token } = await sessions.create({ userId: await newUser(), ...BROWSER });
    await ensureAccessKeys({ db: database.db, masterKey, clock });
    const key = operatorKey(masterKey);
    expect(await access.authenticate({ kind: 'BEARER', text: token })).toBeNull();
    expect(await byCookie(key)).toBeNull();
    expect(await access.authenticate({ kind: 'BEARER', text: key })).toMatchObject({ kind: 'OPERATOR' });
  });

  it('asks the database once in 5 s for one credential', async () => {
    const { token } = await sessions.create({ userId: await newUser(), ...BROWSER });
    const viewer = await byCookie(token);
    const before = statements;
    for (let times = 0; times < 1_000; times += 1) expect(await byCookie(token)).toBe(viewer);
    expect(statements).toBe(before);
    clock.now += 5_000;
    expect(await byCookie(token)).toEqual(viewer);
    expect(statements).toBeGreaterThan(before);
  });

  it('refuses what was revoked as soon as it is told [T-S3]', async () => {
    const userId = await newUser();
    const [one, two] = [
      await sessions.create({ userId, ...BROWSER }),
      await sessions.create({ userId, ...BROWSER }),
    ];
    expect([await byCookie(one.token), await byCookie(two.token)]).not.toContain(null);
    await sessions.revoke({ userId, id: one.session.id });
    expect(await byCookie(one.token)).toBeNull();
    expect(await byCookie(two.token)).not.toBeNull();
    const rotated = await sessions.rotate(two.session.id, { mfaAt: clock.now });
    expect(await byCookie(two.token)).toBeNull();
    expect(await byCookie(rotated?.token ?? '')).toMatchObject({
      credential: { kind: 'SESSION', id: rotated?.session.id },
      freshUntilMs: clock.now + 5 * 60_000,
    });
  });

  it('keeps nothing that was looked up before a change and answered after it', async () => {
    const userId = await newUser();
    const { token } = await sessions.create({ userId, ...BROWSER });
    const looking = byCookie(token);
    await notifyAccessChanged(bus, userId);
    await looking;
    const before = statements;
    await byCookie(token);
    expect(statements).toBeGreaterThan(before);
  });

  it('looks again at many viewers in a few statements', async () => {
    const held = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { token, session } = await sessions.create({ userId: await newUser(), ...BROWSER });
        return { session, viewer: await byCookie(token) };
      }),
    );
    const viewers = held.flatMap(({ viewer }) => (viewer === null ? [] : [viewer]));
    const [gone] = held;
    if (gone === undefined) throw new Error('twenty were made');
    await sessions.revoke({ userId: gone.session.userId, id: gone.session.id });
    const before = statements;
    const now = await access.refresh(viewers);
    expect(statements - before).toBe(2);
    expect([...now.keys()].toSorted()).toEqual(
      held
        .slice(1)
        .map(({ session }) => `SESSION ${session.id}`)
        .toSorted(),
    );
  });

  it('says who may less than before', () => {
    const [one, two] = [newId('channel', 1), newId('channel', 2)];
    const before: SignedInUser = {
      kind: 'USER',
      userId: newId('user', 1),
      platformRole: 'USER',
      emailVerified: true,
      credential: { kind: 'SESSION', id: newId('signIn', 1) },
      mfa: 'DONE',
      freshUntilMs: null,
      memberships: new Map([[one, 'MODERATOR']]),
      staffAccess: new Set(),
    };
    const keeps = (change: Partial<SignedInUser>) => keepsRights(before, { ...before, ...change });
    expect(
      keeps({
        freshUntilMs: 1,
        memberships: new Map([
          [one, 'MODERATOR'],
          [two, 'OWNER'],
        ]),
      }),
    ).toBe(true);
    expect(keeps({ memberships: new Map() })).toBe(false);
    expect(keeps({ memberships: new Map([[one, 'VIEWER']]) })).toBe(false);
    expect(keeps({ platformRole: 'ADMIN' })).toBe(false);
    expect(keeps({ mfa: 'MISSING' })).toBe(false);
    expect(keepsRights({ ...before, staffAccess: new Set([two]) }, before)).toBe(false);
  });
});
