import { deleteOneTimeTokensOf } from '../../db/one-time-token.ts';
import {
  selectAccountByEmail,
  selectAccounts,
  updateEmailVerified,
  updatePasswordHash,
} from '../../db/user.ts';
import type { UserId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { endSignIns } from '../sign-ins.ts';
import { openAccounts } from './account.ts';
import { TokenInvalidError } from './account-errors.ts';
import { mayMail, takeRequest } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash } from './email-address.ts';
import { knownDeviceCookie } from './known-device.ts';
import { issueOneTimeToken, useTokenOfUser } from './one-time-tokens.ts';

/**
 * Sends a code for a new password when the address has an account. Resolves before it is looked whether it has: neither the
 * answer nor its time tells. A failure is the promise `sent`, for the log.
 * @throws RateLimitedError
 */
export async function requestPasswordReset(
  deps: AccountDeps,
  request: { readonly email: string; readonly address: string | null },
): Promise<{ readonly sent: Promise<void> }> {
  await takeRequest(deps.limiter, 'password-reset', request.address);
  return { sent: sendReset(deps, emailHash(deps.masterKey, request.email.slice(0, 1_000))) };
}

async function sendReset(deps: AccountDeps, hash: Buffer): Promise<void> {
  const row = await selectAccountByEmail(deps.db, hash);
  if (row === undefined || row.disabled || !(await mayMail(deps.limiter, hash.toString('hex')))) return;
  const [account] = await openAccounts(deps, [row]);
  if (account === undefined) return;
  await deps.db.transaction().execute(async (tx) => {
    const nowMs = deps.clock.nowMs();
    const token = await issueOneTimeToken(tx, { kind: 'PASSWORD_RESET', userId: row.id, nowMs });
    await queueMail(deps, tx, {
      userId: row.id,
      to: account.email,
      letter: { kind: 'RESET_PASSWORD', token },
    });
  });
}

/**
 * Sets a new password with the code from the mail, and signs the account out everywhere. A second factor stays asked for. Resolves to a
 * cookie that makes the device a known one: whoever reads the account's mail gets in on a new device while others guess.
 * @throws TokenInvalidError, InvalidInputError, WeakPasswordError (the code then stays good), RateLimitedError
 */
export async function resetPassword(
  deps: AccountDeps,
  request: { readonly token: string; readonly password: string; readonly address: string | null },
): Promise<{ readonly deviceCookie: string }> {
  await takeRequest(deps.limiter, 'password-reset-use', request.address);
  await deps.passwordStrength.require(request.password, { field: 'password', words: [] });
  const passwordHash = await deps.passwords.hash(request.password);
  const { userId, email } = await deps.db.transaction().execute(async (tx) => {
    const nowMs = deps.clock.nowMs();
    const row = await useTokenOfUser(tx, { token: request.token, kind: 'PASSWORD_RESET', nowMs });
    await updatePasswordHash(tx, { id: row.userId, to: passwordHash });
    // Whoever was in may have asked for another address.
    await deleteOneTimeTokensOf(tx, row.userId);
    // Who has the code reads the address.
    await updateEmailVerified(tx, { id: row.userId, nowMs });
    const [account] = await openAccounts(deps, await selectAccounts(tx, [row.userId]));
    if (account === undefined) throw new TokenInvalidError();
    await queueMail(deps, tx, {
      userId: row.userId,
      to: account.email,
      letter: { kind: 'PASSWORD_CHANGED' },
    });
    return { userId: row.userId, email: account.email };
  });
  await endEverything(deps, userId);
  const account = emailHash(deps.masterKey, email);
  return { deviceCookie: knownDeviceCookie(deps.masterKey, { account, nowMs: deps.clock.nowMs() }) };
}

async function endEverything(deps: AccountDeps, userId: UserId): Promise<void> {
  await endSignIns(deps, userId, { except: null });
  await notifyAccessChanged(deps.bus, userId);
}
