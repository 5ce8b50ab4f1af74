import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSessionStore,
  DEFAULT_SESSION_OPTIONS,
} from '../../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../../src/auth/sessions/session-store.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type UserId, uuidFromId } from '../../../src/lib/ids.ts';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { insertBareFactor, insertBareUser } from '../../support/account.ts';
import { type Ask, askByCookie } from '../../support/browser-sign-in.ts';
import { waitFor } from '../../support/wait.ts';

const TOKEN_CREATE = 'mutation { tokenCreate(input: { name: "cli" }) { __typename } }';
const HELD = 730_512;

let fixture: ApiFixture;
let sessions: SessionStore;
let admin: Ask;
beforeAll(async () => {
  fixture = await startApiFixture();
  sessions = createSessionStore({ ...fixture, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const adminId = await insertBareUser(fixture, { role: 'ADMIN' });
  await insertBareFactor(fixture.db, adminId);
  admin = await signedIn(adminId, systemClock.nowMs());
  // Lets the test stop a token in the moment it is stored, whatever the API does meanwhile.
  await sql`create function hold_token_family() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock_shared(${sql.lit(HELD)}); return new; end $$`.execute(fixture.db);
  await sql`create trigger held before insert on token_family for each row execute function hold_token_family()`.execute(
    fixture.db,
  );
});
afterAll(() => fixture[Symbol.asyncDispose]());

async function signedIn(userId: UserId, mfaAt: number | null = null): Promise<Ask> {
  const { token } = await sessions.create({ userId, mfaAt, userAgent: null, address: null });
  return askByCookie(fixture.url, token);
}

/** Token families of the user that are still good. */
async function families(userId: UserId): Promise<number> {
  const rows = await fixture.db
    .selectFrom('token_family')
    .select('id')
    .where('user_id', '=', uuidFromId(userId))
    .where('revoked_at', 'is', null)
    .execute();
  return rows.length;
}

/** How many sessions of the database wait for a lock of this kind. */
async function waiting(kind: 'advisory' | 'transactionid'): Promise<number> {
  const result = await sql<{ waiting: number }>`
    select count(*)::int4 as waiting from pg_locks
    where not granted and locktype = ${kind} and (database is null or database = (select oid from pg_database where datname = current_database()))
  `.execute(fixture.db);
  return result.rows[0]?.waiting ?? 0;
}

const endings: readonly (readonly [string, (userId: UserId) => Promise<unknown>])[] = [
  [
    'an administrator disables its user',
    (userId) =>
      admin('mutation ($id: ID!) { userDisable(input: { userId: $id }) { __typename } }', { id: userId }),
  ],
  [
    'its user signs out everywhere',
    async (userId) =>
      (await signedIn(userId))('mutation { signOut(input: { everywhere: true }) { __typename } }'),
  ],
  [
    'its user ends all others with their tokens',
    async (userId) =>
      (await signedIn(userId))(
        'mutation { sessionRevokeOthers(input: { withTokens: true }) { __typename } }',
      ),
  ],
];

describe('a token that is being made from a session', () => {
  it.each(endings)('[T-S2] [T-S3] is good for nothing when %s meanwhile', async (_what, end) => {
    const userId = await insertBareUser(fixture);
    const ask = await signedIn(userId);
    let making: Promise<Awaited<ReturnType<Ask>> | null> = Promise.resolve(null);
    await fixture.db.transaction().execute(async (tx) => {
      await sql`select pg_advisory_xact_lock(${HELD})`.execute(tx);
      // The session's end may cut this request off before it is answered: what counts is what is stored.
      making = ask(TOKEN_CREATE).catch(() => null);
      await waitFor(async () => (await waiting('advisory')) === 1);
      const ended = (await end(userId)) as { readonly errors?: unknown };
      expect(ended.errors).toBeUndefined();
    });
    const made = await making;
    expect(made?.data?.tokenCreate.__typename ?? 'CUT').not.toBe('TokenCreatePayload');
    expect(await families(userId)).toBe(0);
    const rows = await fixture.db
      .selectFrom('token_family')
      .select('id')
      .where('user_id', '=', uuidFromId(userId))
      .execute();
    expect(rows).toHaveLength(1);
  });

  it('[T-S2] [T-S3] and is made while the others are ended falls with them', async () => {
    const userId = await insertBareUser(fixture);
    const [mine, theirs] = [await signedIn(userId), await signedIn(userId)];
    const seen = await theirs('{ viewerSessions { id isCurrent } }');
    const { id } = seen.data.viewerSessions.find((each: { readonly isCurrent: boolean }) => each.isCurrent);
    let ending: Promise<unknown> = Promise.resolve();
    await fixture.db.transaction().execute(async (tx) => {
      // Its end waits here, and what comes after it.
      await sql`select 1 from user_session where id = ${uuidFromId(id)} for update`.execute(tx);
      ending = mine('mutation { sessionRevokeOthers(input: { withTokens: true }) { __typename } }');
      await waitFor(async () => (await waiting('transactionid')) === 1);
      const made = await theirs(TOKEN_CREATE);
      expect(made.data.tokenCreate.__typename).toBe('TokenCreatePayload');
    });
    await ending;
    expect(await families(userId)).toBe(0);
    expect(await sessions.list(userId)).toHaveLength(1);
  });
});
