import { deleteExternalIdentitiesOf } from '../../db/external-identity.ts';
import { deleteOneTimeTokensOf } from '../../db/one-time-token.ts';
import { deleteSubjectKeys } from '../../db/subject-key.ts';
import { eraseAccount, selectAccounts, updateEmail, updatePasswordHash } from '../../db/user.ts';
import { assert } from '../../lib/assert.ts';
import type { SignInId, UserId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { sealContext } from '../../privacy/context.ts';
import { open, seal } from '../../privacy/envelope.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { leaveEverything } from '../members/guards.ts';
import type { SecretsEnded } from '../members/owner-secrets.ts';
import type { IssuedSession } from '../sessions/session-store.ts';
import { endSignIns } from '../sign-ins.ts';
import { openAccounts } from './account.ts';
import { EmailTakenError, InvalidCredentialsError, TokenInvalidError } from './account-errors.ts';
import { mayMail, takeMailToStranger, takeSignInTry } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash, parseEmailAddress } from './email-address.ts';
import { issueOneTimeToken, useTokenOfUser } from './one-time-tokens.ts';

/** Who changes their own account, and in which sign-in. */
export interface Holder {
  readonly userId: UserId;
  readonly signInId: SignInId;
  readonly address: string | null;
}

/**
 * Sets a new password. Every other sign-in ends, and this one gets a new token.
 * @throws InvalidCredentialsError when the present password is not that
 * @throws InvalidInputError, WeakPasswordError, RateLimitedError
 */
export async function changePassword(
  deps: AccountDeps,
  holder: Holder,
  request: { readonly current: string | null; readonly password: string },
): Promise<IssuedSession | null> {
  const account = await requirePassword(deps, holder, request.current);
  await deps.passwordStrength.require(request.password, { field: 'password', words: [account.email] });
  const to = await deps.passwords.hash(request.password);
  await deps.db.transaction().execute(async (tx) => {
    // Held against the hash that was verified: a reset that came in between wins.
    if (!(await updatePasswordHash(tx, { id: holder.userId, from: account.passwordHash, to }))) {
      throw new InvalidCredentialsError();
    }
    await deleteOneTimeTokensOf(tx, holder.userId, { kind: 'PASSWORD_RESET' });
    const letter = { kind: 'PASSWORD_CHANGED' } as const;
    await queueMail(deps, tx, { userId: holder.userId, to: account.email, letter });
  });
  await endSignIns(deps, holder.userId, { except: holder.signInId });
  const issued = await deps.sessions.rotate(holder.signInId, {});
  await notifyAccessChanged(deps.bus, holder.userId);
  return issued;
}

/**
 * Asks for another address: a code goes there, and only who reads it can use it. An address that was written to too often
 * gets nothing, and who asks is told nothing of that.
 * @throws InvalidInputError, RateLimitedError
 */
export async function requestEmailChange(deps: AccountDeps, userId: UserId, newEmail: string): Promise<void> {
  const email = parseEmailAddress(newEmail, 'email');
  await takeMailToStranger(deps.limiter, userId);
  if (!(await mayMail(deps.limiter, emailHash(deps.masterKey, email).toString('hex')))) return;
  const key = (await deps.vault.dataKeys([userId], { create: false })).get(userId);
  assert(key !== undefined, 'an account has its key');
  await deps.db.transaction().execute(async (tx) => {
    const token = await issueOneTimeToken(tx, {
      kind: 'EMAIL_CHANGE',
      userId,
      email: seal(key, sealContext.newEmail(userId), email),
      nowMs: deps.clock.nowMs(),
    });
    await queueMail(deps, tx, { userId, to: email, letter: { kind: 'CONFIRM_NEW_EMAIL', token } });
  });
}

/** Takes the new address, with the code that was sent there; the old one is told. @throws TokenInvalidError, EmailTakenError */
export async function confirmEmailChange(deps: AccountDeps, userId: UserId, token: string): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    const nowMs = deps.clock.nowMs();
    const row = await useTokenOfUser(tx, { token, kind: 'EMAIL_CHANGE', nowMs });
    const [account] = await openAccounts(deps, await selectAccounts(tx, [userId]));
    const key = (await deps.vault.dataKeys([userId], { create: false }, tx)).get(userId);
    if (row.userId !== userId || row.email === null || account === undefined || key === undefined) {
      throw new TokenInvalidError();
    }
    const email = open(key, sealContext.newEmail(userId), row.email).toString('utf8');
    const changed = await updateEmail(tx, {
      id: userId,
      emailHash: emailHash(deps.masterKey, email),
      email: seal(key, sealContext.userEmail(userId), email),
      nowMs,
    });
    if (!changed) throw new EmailTakenError();
    // What was sent to the old address opens the account no more.
    await deleteOneTimeTokensOf(tx, userId);
    await queueMail(deps, tx, { userId, to: account.email, letter: { kind: 'EMAIL_CHANGED' } });
  });
  await notifyAccessChanged(deps.bus, userId);
}

/**
 * Deletes the account: its key is destroyed, and with it all that named its holder. What they did stays, and is nobody's. What
 * they opened channels with as their owner ends.
 * @throws InvalidCredentialsError when the password is not theirs
 * @throws LastOwnerError, LastAdminError when somebody must stay
 */
export async function deleteAccount(
  deps: AccountDeps,
  holder: Holder,
  request: { readonly password: string | null },
): Promise<readonly SecretsEnded[]> {
  await requirePassword(deps, holder, request.password);
  const { userId } = holder;
  const ended = await deps.db.transaction().execute(async (tx) => {
    const secrets = await leaveEverything(deps, tx, userId);
    await deleteOneTimeTokensOf(tx, userId);
    await deleteExternalIdentitiesOf(tx, userId);
    await eraseAccount(tx, { id: userId, nowMs: deps.clock.nowMs() });
    await deleteSubjectKeys(tx, [userId]);
    return secrets;
  });
  await endSignIns(deps, userId, { except: null });
  await notifyAccessChanged(deps.bus, ended.length === 0 ? userId : null);
  return ended;
}

/** The account, when the password is its own; who has none is known by their fresh factor alone. @throws InvalidCredentialsError, RateLimitedError */
async function requirePassword(
  deps: AccountDeps,
  { userId, signInId, address }: Holder,
  password: string | null,
): Promise<{ readonly email: string; readonly passwordHash: string | null }> {
  const [row] = await selectAccounts(deps.db, [userId]);
  if (row === undefined) throw new InvalidCredentialsError();
  const [account] = await openAccounts(deps, [row]);
  if (account === undefined) throw new InvalidCredentialsError();
  const { passwordHash } = row;
  const known = { email: account.email, passwordHash };
  if (passwordHash === null) return known;
  // Guessing goes on where somebody left their computer open: the same limits hold, by sign-in.
  const hash = emailHash(deps.masterKey, account.email).toString('hex');
  await takeSignInTry(deps.limiter, { account: hash, address, device: signInId });
  if ((await deps.passwords.verify(passwordHash, password ?? '')) === 'WRONG') {
    throw new InvalidCredentialsError();
  }
  return known;
}
