import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadAccounts } from '../../../src/auth/accounts/account.ts';
import {
  changePassword,
  confirmEmailChange,
  deleteAccount,
  requestEmailChange,
} from '../../../src/auth/accounts/account-change.ts';
import {
  EmailTakenError,
  InvalidCredentialsError,
  TokenInvalidError,
} from '../../../src/auth/accounts/account-errors.ts';
import { verifyEmail } from '../../../src/auth/accounts/email-verification.ts';
import { issueOneTimeToken } from '../../../src/auth/accounts/one-time-tokens.ts';
import { requestPasswordReset, resetPassword } from '../../../src/auth/accounts/password-reset.ts';
import { signIn } from '../../../src/auth/accounts/sign-in.ts';
import { issueSetupCode, signUp } from '../../../src/auth/accounts/sign-up.ts';
import { LastAdminError } from '../../../src/auth/members/errors.ts';
import { WeakPasswordError } from '../../../src/auth/passwords/password-errors.ts';
import { InvalidInputError } from '../../../src/errors/invalid-input.ts';
import type { UserId } from '../../../src/lib/ids.ts';
import { RateLimitedError } from '../../../src/limits/errors.ts';
import { connectChannel } from '../../../src/live/channels.ts';
import { type AccountFixture, codeIn, createAccountFixture, GOOD_PASSWORD } from './support.ts';

let fixture: AccountFixture;
beforeAll(async () => {
  fixture = await createAccountFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());
// The limits on strangers are held elsewhere.
beforeEach(() => fixture.pass(2 * 60 * 60_000));

const OTHER_PASSWORD = 'velvet-anchor-sixty-lantern';

function entering(email: string, password = GOOD_PASSWORD) {
  return signIn(fixture.deps, {
    email,
    password,
    address: null,
    userAgent: 'test',
    deviceCookie: null,
    sessionCookie: null,
  });
}
function holderOf({ userId, issued }: Awaited<ReturnType<typeof entering>>) {
  return { userId, signInId: issued.session.id, address: null };
}
const signUpWith = (setupCode: string | null, email: string, password = GOOD_PASSWORD) =>
  signUp(fixture.deps, { email, password, displayName: null, setupCode, address: null });

describe('the setup code', () => {
  it('[T-E5] makes exactly one administrator, who owns what nobody owned, however many use it at once', async () => {
    const { deps, db } = fixture;
    const { id } = await connectChannel(deps, { handle: 'nobodys', provider: 'TIKTOK' });
    // A stranger who signs up first keeps nobody from setting the installation up.
    await fixture.signedUp('stranger@example.test');
    const code = await issueSetupCode(deps);
    if (code === null) throw new Error('there is no administrator yet');
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => signUpWith(code, `first${index}@example.test`)),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of tries) {
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(TokenInvalidError);
    }
    const made = db.selectFrom('app_user').select(['id', 'platform_role']).orderBy('created_at', 'desc');
    const users = await made.where('platform_role', '<>', 'USER').execute();
    expect(users.map(({ platform_role }) => platform_role)).toEqual(['ADMIN']);
    const members = await db.selectFrom('channel_member').selectAll().execute();
    expect(members).toMatchObject([{ user_id: users[0]?.id, role: 'OWNER' }]);
    expect(members[0]?.channel_id.replaceAll('-', '')).toBe(id.slice(4));
    // Nobody is made an administrator that way again.
    expect(await issueSetupCode(deps)).toBeNull();
    await expect(signUpWith(code, 'late@example.test')).rejects.toThrow(TokenInvalidError);
    // Nor by a code that was made while the one before it was used.
    const late = await db
      .transaction()
      .execute((tx) => issueOneTimeToken(tx, { kind: 'SETUP', userId: null, nowMs: deps.clock.nowMs() }));
    await expect(signUpWith(late, 'late@example.test')).rejects.toThrow(TokenInvalidError);
  });

  it('[T-E5] is one, however many ask for one at once', async () => {
    const { deps, db } = fixture;
    const issue = (_: unknown, index: number) =>
      db.transaction().execute(async (tx) => {
        const nowMs = deps.clock.nowMs();
        // Every other one begins before the others are done, and ends after them.
        const code = await issueOneTimeToken(tx, { kind: 'SETUP', userId: null, nowMs });
        if (index % 2 === 0) await sql`select pg_sleep(0.05)`.execute(tx);
        return code;
      });
    const codes = await Promise.all(Array.from({ length: 8 }, issue));
    expect(new Set(codes).size).toBe(8);
    const kept = await db.selectFrom('one_time_token').select('kind').where('kind', '=', 'SETUP').execute();
    expect(kept).toHaveLength(1);
  });

  it('keeps the last administrator from deleting their account', async () => {
    const admin = await fixture.db
      .selectFrom('app_user')
      .select('id')
      .where('platform_role', '=', 'ADMIN')
      .executeTakeFirstOrThrow();
    const userId = `usr_${admin.id.replaceAll('-', '')}` as UserId;
    const [account] = await loadAccounts(fixture.deps, [userId]);
    const holder = holderOf(await entering(account?.email ?? ''));
    await expect(deleteAccount(fixture.deps, holder, { password: GOOD_PASSWORD })).rejects.toThrow(
      LastAdminError,
    );
  });
});

describe('an account', () => {
  it('is made unverified, is verified by the code from the mail, once, and signs in', async () => {
    const { deps } = fixture;
    const code = await fixture.signedUp('ann@example.test');
    const { userId, issued } = await entering('Ann@Example.test');
    expect(await loadAccounts(deps, [userId])).toMatchObject([
      { email: 'ann@example.test', displayName: 'Somebody', emailVerified: false, platformRole: 'USER' },
    ]);
    expect(await deps.sessions.validate(issued.token)).toMatchObject({ userId, mfaAt: null });
    const other = await fixture.signedUp('bob@example.test');
    await expect(verifyEmail(deps, userId, other)).rejects.toThrow(TokenInvalidError);
    await verifyEmail(deps, userId, code);
    await expect(verifyEmail(deps, userId, code)).rejects.toThrow(TokenInvalidError);
    expect(await loadAccounts(deps, [userId])).toMatchObject([{ emailVerified: true }]);
  });

  it('[T-I2] is stored without anything that names its holder', async () => {
    await fixture.signedUp('secret.person@example.test');
    const rows = JSON.stringify([
      await fixture.db.selectFrom('app_user').selectAll().execute(),
      await fixture.db.selectFrom('outgoing_mail').selectAll().execute(),
      await fixture.db.selectFrom('one_time_token').selectAll().execute(),
    ]);
    const text = rows + Buffer.from(rows).toString('latin1');
    expect(text).not.toMatch(/secret\.person|Somebody/);
  });

  it('[T-S1] is told of by mail alone when somebody signs up with its address again', async () => {
    await fixture.signedUp('known@example.test');
    const before = await fixture.db.selectFrom('app_user').selectAll().execute();
    expect(await signUpWith(null, 'known@example.test', OTHER_PASSWORD)).toBeUndefined();
    expect(await signUpWith(null, 'unknown@example.test', OTHER_PASSWORD)).toBeUndefined();
    expect(await fixture.mail('known@example.test', /already have/)).toContain('nothing has changed');
    const after = await fixture.db.selectFrom('app_user').selectAll().execute();
    expect(after.filter(({ id }) => before.some((old) => old.id === id))).toEqual(before);
    await expect(entering('known@example.test', OTHER_PASSWORD)).rejects.toThrow(InvalidCredentialsError);
  });

  it('[T-S1] is asked of the database in the same statements whether the address has one or not', async () => {
    await fixture.signedUp('twice@example.test');
    const keys = () => fixture.db.selectFrom('subject_key').select('subject_id').execute();
    const before = await keys();
    const statements: string[] = [];
    const db = fixture.db.withPlugin({
      transformQuery: ({ node }) => {
        // Ours are all written by hand, and say what they are for.
        statements.push('sqlFragments' in node ? (node.sqlFragments as string[]).join('?') : node.kind);
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const asked = async (email: string) => {
      statements.length = 0;
      const request = { email, password: OTHER_PASSWORD, displayName: null, setupCode: null, address: null };
      await signUp({ ...fixture.deps, db }, request);
      return [...statements];
    };
    const known = await asked('twice@example.test');
    // Nothing of an account that was not made stays behind.
    expect(await keys()).toEqual(before);
    expect(known.length).toBeGreaterThan(5);
    expect(await asked('never@example.test')).toEqual(known);
    expect(await keys()).toHaveLength(before.length + 1);
    // Nor does it show that no more mails are sent.
    for (let tries = 0; tries < 6; tries += 1) expect(await asked('twice@example.test')).toEqual(known);
    await fixture.mail('never@example.test', /Confirm/);
  });

  it.each([
    ['not-an-address', GOOD_PASSWORD, InvalidInputError],
    ['two@example.test, three@example.test', GOOD_PASSWORD, InvalidInputError],
    ['x@example.test\r\nBcc: all@example.test', GOOD_PASSWORD, InvalidInputError],
    ['ok@example.test', 'short', InvalidInputError],
    ['ok@example.test', 'x'.repeat(257), InvalidInputError],
    ['ok@example.test', 'Password1234', WeakPasswordError],
    ['ok@example.test', 'ok@example.test', WeakPasswordError],
  ])('[T-S1] is not made of %j with password %j', async (email, password, refusal) => {
    await expect(signUpWith(null, email, password)).rejects.toThrow(refusal);
  });

  it('gets a new password by a code that works once, within half an hour, and ends every sign-in', async () => {
    const { deps } = fixture;
    await fixture.signedUp('forgot@example.test');
    const { issued } = await entering('forgot@example.test');
    const ask = async () => {
      const { sent } = await requestPasswordReset(deps, { email: 'forgot@example.test', address: null });
      await sent;
      return codeIn(await fixture.mail('forgot@example.test', /new password/));
    };
    const reset = (token: string, password = OTHER_PASSWORD) =>
      resetPassword(deps, { token, password, address: null });
    const old = await ask();
    fixture.pass(31 * 60_000);
    await expect(reset(old)).rejects.toThrow(TokenInvalidError);
    const first = await ask();
    // A weak password does not use the code up.
    await expect(reset(first, 'password1')).rejects.toThrow(WeakPasswordError);
    const tries = await Promise.allSettled([reset(first), reset(first), reset(first)]);
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await deps.sessions.validate(issued.token)).toBeNull();
    await expect(entering('forgot@example.test')).rejects.toThrow(InvalidCredentialsError);
    await entering('forgot@example.test', OTHER_PASSWORD);
    await fixture.mail('forgot@example.test', /was changed/);
  });

  it('changes its password: other sign-ins end and this one gets another token', async () => {
    const { deps } = fixture;
    await fixture.signedUp('change@example.test');
    const here = await entering('change@example.test');
    const there = await entering('change@example.test');
    const change = (current: string) =>
      changePassword(deps, holderOf(here), { current, password: OTHER_PASSWORD });
    await expect(change('wrong')).rejects.toThrow(InvalidCredentialsError);
    const issued = await change(GOOD_PASSWORD);
    expect(await deps.sessions.validate(there.issued.token)).toBeNull();
    expect(await deps.sessions.validate(here.issued.token)).toBeNull();
    expect(await deps.sessions.validate(issued?.token ?? '')).toMatchObject({ userId: here.userId });
  });

  it('takes another address only from who reads it, and tells the old one', async () => {
    const { deps } = fixture;
    await fixture.signedUp('old@example.test');
    await fixture.signedUp('taken@example.test');
    const { userId } = await entering('old@example.test');
    await requestEmailChange(deps, userId, 'new@example.test');
    const stale = codeIn(await fixture.mail('new@example.test', /new e-mail/));
    await requestEmailChange(deps, userId, 'taken@example.test');
    await expect(confirmEmailChange(deps, userId, stale)).rejects.toThrow(TokenInvalidError);
    const taken = codeIn(await fixture.mail('taken@example.test', /new e-mail/));
    await expect(confirmEmailChange(deps, userId, taken)).rejects.toThrow(EmailTakenError);
    await requestEmailChange(deps, userId, 'newer@example.test');
    const code = codeIn(await fixture.mail('newer@example.test', /new e-mail/));
    const stranger = await entering('taken@example.test');
    await expect(confirmEmailChange(deps, stranger.userId, code)).rejects.toThrow(TokenInvalidError);
    await confirmEmailChange(deps, userId, code);
    expect((await entering('newer@example.test')).userId).toBe(userId);
    expect(await fixture.mail('old@example.test', /was changed/)).toContain('another e-mail address');
  });

  it('[T-D4] has few mails sent to addresses that are not its own', async () => {
    const { deps, db } = fixture;
    await fixture.signedUp('bomber@example.test');
    const { userId } = await entering('bomber@example.test');
    const mails = async () =>
      (await db.selectFrom('outgoing_mail').select('id').execute()).map(({ id }) => id);
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        requestEmailChange(deps, userId, `target${index}@example.test`),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    for (const each of asked) {
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(RateLimitedError);
    }
    const before = await mails();
    await expect(requestEmailChange(deps, userId, 'one-more@example.test')).rejects.toThrow(RateLimitedError);
    // Those of before leave one after the other meanwhile.
    expect((await mails()).filter((id) => !before.includes(id))).toEqual([]);
  });

  it('[T-S1] is opened no more by a code that went to its old address', async () => {
    const { deps } = fixture;
    await fixture.signedUp('leaky@example.test');
    const { userId } = await entering('leaky@example.test');
    await (await requestPasswordReset(deps, { email: 'leaky@example.test', address: null })).sent;
    const token = codeIn(await fixture.mail('leaky@example.test', /new password/));
    await requestEmailChange(deps, userId, 'tight@example.test');
    await confirmEmailChange(deps, userId, codeIn(await fixture.mail('tight@example.test', /new e-mail/)));
    await expect(resetPassword(deps, { token, password: OTHER_PASSWORD, address: null })).rejects.toThrow(
      TokenInvalidError,
    );
    expect((await entering('tight@example.test')).userId).toBe(userId);
  });

  it('[T-S1] lets nobody in whose password was replaced while it was verified', async () => {
    const { deps, db } = fixture;
    await fixture.signedUp('race@example.test');
    const here = await entering('race@example.test');
    await (await requestPasswordReset(deps, { email: 'race@example.test', address: null })).sent;
    const token = codeIn(await fixture.mail('race@example.test', /new password/));
    // The thief's password is verified before the reset, and what follows from it comes after.
    let resetting: Promise<unknown> | null = null;
    const passwords: typeof deps.passwords = {
      ...deps.passwords,
      verify: async (stored, password) => {
        const verdict = await deps.passwords.verify(stored, password);
        resetting ??= resetPassword(deps, { token, password: OTHER_PASSWORD, address: null });
        await resetting;
        return verdict;
      },
    };
    const late = { ...deps, passwords };
    const thief = { email: 'race@example.test', password: GOOD_PASSWORD, address: null, userAgent: null };
    await expect(signIn(late, { ...thief, deviceCookie: null, sessionCookie: null })).rejects.toThrow(
      InvalidCredentialsError,
    );
    expect(await deps.sessions.list(here.userId)).toEqual([]);
    const owner = await entering('race@example.test', OTHER_PASSWORD);

    await (await requestPasswordReset(deps, { email: 'race@example.test', address: null })).sent;
    const second = codeIn(await fixture.mail('race@example.test', /new password/));
    const overtaken: typeof deps.passwords = {
      ...deps.passwords,
      hash: async (password) => {
        const hash = await deps.passwords.hash(password);
        await resetPassword(deps, { token: second, password: GOOD_PASSWORD, address: null });
        return hash;
      },
    };
    const change = { current: OTHER_PASSWORD, password: 'thieves-choose-this-one-gladly' };
    await expect(changePassword({ ...deps, passwords: overtaken }, holderOf(owner), change)).rejects.toThrow(
      InvalidCredentialsError,
    );
    expect((await entering('race@example.test', GOOD_PASSWORD)).userId).toBe(owner.userId);
    expect(
      await db
        .selectFrom('one_time_token')
        .selectAll()
        .where('user_id', '=', owner.userId.slice(4))
        .execute(),
    ).toEqual([]);
  });

  it('is deleted with its key: nothing of it can be read, and its address is free', async () => {
    const { deps, db } = fixture;
    await fixture.signedUp('gone@example.test');
    const signedIn = await entering('gone@example.test');
    await expect(deleteAccount(deps, holderOf(signedIn), { password: 'wrong' })).rejects.toThrow(
      InvalidCredentialsError,
    );
    await deleteAccount(deps, holderOf(signedIn), { password: GOOD_PASSWORD });
    expect(await deps.sessions.validate(signedIn.issued.token)).toBeNull();
    const uuid = signedIn.userId.slice(4);
    const row = await db.selectFrom('app_user').selectAll().where('id', '=', uuid).executeTakeFirstOrThrow();
    expect(row).toMatchObject({ email: null, email_hash: null, display_name: null, password_hash: null });
    const keys = await db.selectFrom('subject_key').selectAll().where('subject_id', '=', uuid).execute();
    expect(keys).toEqual([]);
    await fixture.signedUp('gone@example.test');
    expect((await entering('gone@example.test')).userId).not.toBe(signedIn.userId);
  });
});
