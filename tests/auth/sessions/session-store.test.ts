import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSessionStore,
  DEFAULT_SESSION_OPTIONS,
} from '../../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../../src/auth/sessions/session-store.ts';
import { newSessionToken } from '../../../src/auth/sessions/session-token.ts';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { newId, uuidFromId } from '../../../src/lib/ids.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../../src/privacy/vault.ts';
import { insertBareUser } from '../../support/account.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';

const MINUTE_MS = 60_000;
const IDLE_MS = 60 * MINUTE_MS;
const ABSOLUTE_MS = 150 * MINUTE_MS;

/** Not the machine's: a session store must go by the clock it was given. */
const clock = { now: Date.UTC(2031, 4, 5), nowMs: () => clock.now };
const bus = createInProcessBus({ clock: systemClock });
let database: TestDatabase;
let vault: Vault;
beforeAll(async () => {
  database = await createTestDatabase();
  const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
  vault = createVault({ db: database.db, masterKey, clock: systemClock });
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await bus.close();
});

const storeOf = (store: 'lucia' | 'native'): SessionStore =>
  createSessionStore(
    { db: database.db, vault, bus, clock },
    { store, idleMs: IDLE_MS, absoluteMs: ABSOLUTE_MS },
  );
const newUser = () => insertBareUser({ db: database.db, vault });
const BROWSER = { mfaAt: null, userAgent: 'Firefox/200.0 (of a Test)', address: '192.0.2.77' };
const rowsOf = async (userId: string) =>
  (
    await sql<{
      token_hash: Buffer;
      user_agent: Buffer;
      address: Buffer;
    }>`select * from user_session where user_id = ${uuidFromId(userId as never)}`.execute(database.db)
  ).rows;

describe.each(['lucia', 'native'] as const)('sessions by %s', (kind) => {
  it('open with the token alone, which is kept nowhere [T-S3]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    expect(token).toMatch(/^[a-z2-7]{40}$/);
    expect(session).toEqual({
      id: expect.stringMatching(/^sig_[0-9a-f]{32}$/),
      userId,
      createdAt: clock.now,
      lastSeenAt: clock.now,
      expiresAt: clock.now + IDLE_MS,
      absoluteExpiresAt: clock.now + ABSOLUTE_MS,
      ...BROWSER,
      external: null,
    });
    expect(await sessions.validate(token)).toEqual(session);
    const [row] = await rowsOf(userId);
    const hash = createHash('sha256').update(token).digest();
    expect(row?.token_hash).toEqual(hash);
    // What somebody reads in a stolen copy of the table opens nothing.
    const hex = hash.toString('hex');
    const stolen = [
      `h_${hex}`,
      hex,
      hash.toString('base64'),
      hash.toString('latin1'),
      session.id,
      uuidFromId(session.id),
    ];
    for (const text of stolen) expect(await sessions.validate(text)).toBeNull();
    expect(await sessions.validate(token)).not.toBeNull();
  });

  it('refuse what is no token without ending anything [T-S3]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token } = await sessions.create({ userId, ...BROWSER });
    const others = [
      '',
      ' ',
      `${token} `,
      `${token}a`,
      token.slice(1),
      token.toUpperCase(),
      `${token.slice(0, 39)}\u0000`,
      '%',
      newSessionToken(),
      "' or 1=1 --",
      'x'.repeat(100_000),
    ];
    for (const text of others) expect(await sessions.validate(text)).toBeNull();
    expect(await sessions.list(userId)).toHaveLength(1);
  });

  it('keep what names people sealed [T-I2]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    await sessions.create({ userId, ...BROWSER });
    const [row] = await rowsOf(userId);
    expect(row?.user_agent.toString('latin1')).not.toContain('Firefox');
    expect(row?.address.toString('latin1')).not.toContain('192.0.2');
  });

  it('end when they are not used, and move their end by use', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    clock.now += IDLE_MS - 1_000;
    expect(await sessions.validate(token)).toEqual({
      ...session,
      lastSeenAt: clock.now,
      expiresAt: clock.now + IDLE_MS,
    });
    clock.now += IDLE_MS - 1_000;
    expect(await sessions.validate(token)).not.toBeNull();
    const { token: unused } = await sessions.create({ userId, ...BROWSER });
    clock.now += IDLE_MS;
    expect(await sessions.validate(unused)).toBeNull();
    expect(await sessions.validate(unused)).toBeNull();
  });

  it('end for good after their absolute lifetime, however much they are used [T-S3]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    const end = session.createdAt + ABSOLUTE_MS;
    while (clock.now < end - 2 * MINUTE_MS) {
      clock.now += 2 * MINUTE_MS;
      const seen = await sessions.validate(token);
      expect(seen?.expiresAt).toBe(Math.min(clock.now + IDLE_MS, end));
    }
    clock.now = end;
    expect(await sessions.validate(token)).toBeNull();
    expect(await sessions.find(session.id)).toBeNull();
  });

  it('write their use down at most once a minute', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    clock.now += MINUTE_MS - 1;
    expect(await sessions.validate(token)).toEqual(session);
    clock.now += 1;
    expect((await sessions.validate(token))?.lastSeenAt).toBe(clock.now);
  });

  it('get another token and another id when privileges change; the old ones open nothing [T-S3]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const first = await sessions.create({ userId, ...BROWSER });
    clock.now += 5 * MINUTE_MS;
    const second = await sessions.rotate(first.session.id, { mfaAt: clock.now });
    expect(second?.session).toEqual({
      ...first.session,
      id: expect.stringMatching(/^sig_/),
      lastSeenAt: clock.now,
      expiresAt: clock.now + IDLE_MS,
      mfaAt: clock.now,
    });
    expect(second?.token).not.toBe(first.token);
    expect(second?.session.id).not.toBe(first.session.id);
    expect(await sessions.validate(first.token)).toBeNull();
    expect(await sessions.find(first.session.id)).toBeNull();
    expect(await sessions.validate(second?.token ?? '')).toEqual(second?.session);
    // A rotation prolongs nothing, and without a new factor the old one stays.
    const third = await sessions.rotate(second?.session.id ?? first.session.id, {});
    expect(third?.session.mfaAt).toBe(clock.now);
    expect(third?.session.absoluteExpiresAt).toBe(first.session.absoluteExpiresAt);
    expect(await sessions.rotate(first.session.id, {})).toBeNull();
  });

  it('remember where they came from, and lose it with what is unlinked', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const identityId = newId('externalIdentity', clock.now);
    await sql`insert into external_identity (id, user_id, issuer, subject_hash, created_at)
      values (${uuidFromId(identityId)}, ${uuidFromId(userId)}, 'https://id.example', ${randomBytes(32)}, now())`.execute(
      database.db,
    );
    const external = { identityId, sessionHash: randomBytes(32) };
    const first = await sessions.create({ userId, ...BROWSER, external });
    expect(first.session.external).toEqual(external);
    const second = await sessions.rotate(first.session.id, {});
    const tokenNow = second?.token ?? '';
    expect(second?.session.external).toEqual(external);
    expect((await sessions.validate(tokenNow))?.external).toEqual(external);
    expect((await sessions.list(userId)).map((session) => session.external)).toEqual([external]);
    await sql`delete from external_identity where id = ${uuidFromId(identityId)}`.execute(database.db);
    expect((await sessions.validate(tokenNow))?.external).toBeNull();
  });

  it('rotate once when it is asked for twenty times at once [T-S3]', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { session } = await sessions.create({ userId, ...BROWSER });
    const rotated = await Promise.all(Array.from({ length: 20 }, () => sessions.rotate(session.id, {})));
    expect(rotated.filter((issued) => issued !== null)).toHaveLength(1);
    expect(await sessions.list(userId)).toHaveLength(1);
  });

  it('are listed newest first and revoked one by one, by their user alone', async () => {
    const sessions = storeOf(kind);
    const [userId, stranger] = [await newUser(), await newUser()];
    const one = await sessions.create({ userId, ...BROWSER });
    clock.now += 1;
    const two = await sessions.create({ userId, ...BROWSER });
    expect(await sessions.list(userId)).toEqual([two.session, one.session]);
    expect(await sessions.list(stranger)).toEqual([]);
    expect(await sessions.revoke({ userId: stranger, id: one.session.id })).toBe(false);
    expect(await sessions.revoke({ userId, id: newId('signIn', 1) })).toBe(false);
    expect(await sessions.validate(one.token)).not.toBeNull();
    expect(await sessions.revoke({ userId, id: one.session.id })).toBe(true);
    expect(await sessions.revoke({ userId, id: one.session.id })).toBe(false);
    expect(await sessions.validate(one.token)).toBeNull();
    expect(await sessions.list(userId)).toEqual([two.session]);
  });

  it('are revoked all at once, but for one if so wished', async () => {
    const sessions = storeOf(kind);
    const [userId, stranger] = [await newUser(), await newUser()];
    const [one, two, three] = [
      await sessions.create({ userId, ...BROWSER }),
      await sessions.create({ userId, ...BROWSER }),
      await sessions.create({ userId, ...BROWSER }),
    ];
    const theirs = await sessions.create({ userId: stranger, ...BROWSER });
    expect(await sessions.revokeAll(userId, { except: two.session.id })).toBe(2);
    expect([await sessions.validate(one.token), await sessions.validate(three.token)]).toEqual([null, null]);
    expect(await sessions.validate(two.token)).not.toBeNull();
    expect(await sessions.revokeAll(userId, { except: null })).toBe(1);
    expect(await sessions.validate(two.token)).toBeNull();
    expect(await sessions.validate(theirs.token)).not.toBeNull();
  });

  it('tell every process when they are revoked or rotated', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const told: string[] = [];
    const unlisten = await bus.listen('access', (payload) => told.push(payload));
    const { session } = await sessions.create({ userId, ...BROWSER });
    const rotated = await sessions.rotate(session.id, {});
    await sessions.revoke({ userId, id: rotated?.session.id ?? session.id });
    await sessions.revokeAll(userId, { except: null });
    await waitFor(() => told.length >= 3);
    expect(told).toEqual([userId, userId, userId]);
    await unlisten();
  });

  it.each(['disabled_at', 'deleted_at'])('open nothing for a user who is out (%s)', async (column) => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const { token, session } = await sessions.create({ userId, ...BROWSER });
    await database.db
      .updateTable('app_user')
      .set({ [column]: new Date() })
      .where('id', '=', uuidFromId(userId))
      .execute();
    expect(await sessions.validate(token)).toBeNull();
    expect(await sessions.find(session.id)).toBeNull();
  });

  it('keep 50 per user, ending the one unused for longest', async () => {
    const sessions = storeOf(kind);
    const userId = await newUser();
    const first = await sessions.create({ userId, ...BROWSER });
    for (let made = 1; made < 51; made += 1) {
      clock.now += 1;
      await sessions.create({ userId, ...BROWSER });
    }
    expect(await sessions.list(userId)).toHaveLength(50);
    expect(await sessions.validate(first.token)).toBeNull();
  });

  it('are swept once they have ended', async () => {
    const sessions = storeOf(kind);
    await sessions.sweep();
    const userId = await newUser();
    await sessions.create({ userId, ...BROWSER });
    expect(await sessions.sweep()).toBe(0);
    clock.now += IDLE_MS;
    expect(await sessions.sweep()).toBeGreaterThanOrEqual(1);
    expect(await rowsOf(userId)).toEqual([]);
  });
});

describe('session stores', () => {
  it('are exchanged without signing anybody out', async () => {
    const userId = await newUser();
    const [lucia, native] = [storeOf('lucia'), storeOf('native')];
    const one = await lucia.create({ userId, ...BROWSER });
    const two = await native.create({ userId, ...BROWSER });
    expect(await native.validate(one.token)).toEqual(one.session);
    expect(await lucia.validate(two.token)).toEqual(two.session);
    expect(DEFAULT_SESSION_OPTIONS).toEqual({
      store: 'lucia',
      idleMs: 7 * 24 * IDLE_MS,
      absoluteMs: 30 * 24 * IDLE_MS,
    });
  });

  it('make tokens of 200 evenly spread bits', () => {
    const tokens = Array.from({ length: 2_000 }, newSessionToken);
    expect(new Set(tokens).size).toBe(tokens.length);
    const counts = new Map<string, number>();
    for (const character of tokens.join('')) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(32);
    // 80,000 characters, 2,500 of each expected: six standard deviations are 300.
    for (const count of counts.values()) expect(Math.abs(count - 2_500)).toBeLessThan(300);
  });
});
