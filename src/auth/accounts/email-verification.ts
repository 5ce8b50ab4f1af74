import { selectAccounts, updateEmailVerified } from '../../db/user.ts';
import type { UserId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { openAccounts } from './account.ts';
import { TokenInvalidError } from './account-errors.ts';
import { mayMail } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash } from './email-address.ts';
import { issueOneTimeToken, useTokenOfUser } from './one-time-tokens.ts';

/**
 * Takes the address of an account for one that its holder reads. The account is that of who is signed in: a stranger who signed
 * up with somebody's address does not get it verified by that somebody's click.
 * @throws TokenInvalidError
 */
export async function verifyEmail(deps: AccountDeps, userId: UserId, token: string): Promise<void> {
  const nowMs = deps.clock.nowMs();
  await deps.db.transaction().execute(async (tx) => {
    const row = await useTokenOfUser(tx, { token, kind: 'EMAIL_VERIFICATION', nowMs });
    if (row.userId !== userId) throw new TokenInvalidError();
    await updateEmailVerified(tx, { id: userId, nowMs });
  });
  await notifyAccessChanged(deps.bus, userId);
}

/** Sends the mail with the code again, in place of the earlier one. Nothing when the address is verified, or was written to too often. */
export async function resendVerification(deps: AccountDeps, userId: UserId): Promise<void> {
  const [account] = await openAccounts(deps, await selectAccounts(deps.db, [userId]));
  if (account === undefined || account.emailVerified) return;
  if (!(await mayMail(deps.limiter, emailHash(deps.masterKey, account.email).toString('hex')))) return;
  await deps.db.transaction().execute(async (tx) => {
    const token = await issueOneTimeToken(tx, {
      kind: 'EMAIL_VERIFICATION',
      userId,
      nowMs: deps.clock.nowMs(),
    });
    await queueMail(deps, tx, { userId, to: account.email, letter: { kind: 'VERIFY_EMAIL', token } });
  });
}
