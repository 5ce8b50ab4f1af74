import { selectAccountByEmail, selectAccounts, updatePasswordHash } from '../../db/user.ts';
import type { UserId } from '../../lib/ids.ts';
import { PASSWORD_BYTES_MAX } from '../passwords/password-strength.ts';
import { endReplacedSession } from '../sessions/replaced-session.ts';
import type { IssuedSession } from '../sessions/session-store.ts';
import { InvalidCredentialsError } from './account-errors.ts';
import { takeSignInTry } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash } from './email-address.ts';
import { knownDevice, knownDeviceCookie } from './known-device.ts';

export interface SignInRequest {
  readonly email: string;
  readonly password: string;
  readonly address: string | null;
  readonly userAgent: string | null;
  /** What the device brought from an earlier sign-in. */
  readonly deviceCookie: string | null;
  /** The session that the browser was in until now: it ends. */
  readonly sessionCookie: string | null;
}

/** Somebody is signed in: what goes into their cookies. */
export interface SignedIn {
  readonly userId: UserId;
  readonly issued: IssuedSession;
  readonly deviceCookie: string;
}

/**
 * Signs in with address and password. An unknown address, one without a password, a disabled account and a wrong password
 * answer the same and take the same time. The session that the browser was in until now ends.
 * @throws RateLimitedError, before anything is looked at
 * @throws InvalidCredentialsError
 */
export async function signIn(deps: AccountDeps, request: SignInRequest): Promise<SignedIn> {
  const hash = emailHash(deps.masterKey, request.email.slice(0, 1_000));
  const nowMs = deps.clock.nowMs();
  const device = knownDevice(deps.masterKey, request.deviceCookie, { account: hash, nowMs });
  const wasRight = await takeSignInTry(deps.limiter, {
    account: hash.toString('hex'),
    address: request.address,
    device,
  });
  const account = await selectAccountByEmail(deps.db, hash);
  const stored = account === undefined || account.disabled ? null : account.passwordHash;
  const fits = Buffer.byteLength(request.password) <= PASSWORD_BYTES_MAX;
  const verdict = await deps.passwords.verify(fits ? stored : null, fits ? request.password : '');
  if (verdict === 'WRONG' || account === undefined || stored === null) throw new InvalidCredentialsError();
  if (verdict === 'OUTDATED') {
    const to = await deps.passwords.hash(request.password);
    await updatePasswordHash(deps.db, { id: account.id, from: stored, to });
  }
  const { userAgent, address } = request;
  const issued = await deps.sessions.create({ userId: account.id, mfaAt: null, userAgent, address });
  await requireStillRight(deps, { userId: account.id, stored, password: request.password, issued });
  await wasRight();
  await endReplacedSession(deps.sessions, request.sessionCookie);
  return {
    userId: account.id,
    issued,
    deviceCookie: knownDeviceCookie(deps.masterKey, { account: hash, nowMs }),
  };
}

/**
 * Ends the session again when the password is not the account's any more: whoever changed it while it was verified has ended
 * the sign-ins of then, and this one was not among them. Who changes it from now on ends it as well.
 * @throws InvalidCredentialsError
 */
async function requireStillRight(
  deps: AccountDeps,
  attempt: {
    readonly userId: UserId;
    readonly stored: string;
    readonly password: string;
    readonly issued: IssuedSession;
  },
): Promise<void> {
  const { userId, stored, password, issued } = attempt;
  const [now] = await selectAccounts(deps.db, [userId]);
  if (now?.passwordHash === stored) return;
  // Perhaps it was only hashed anew.
  if ((await deps.passwords.verify(now?.passwordHash ?? null, password)) !== 'WRONG') return;
  await deps.sessions.revoke({ userId, id: issued.session.id });
  throw new InvalidCredentialsError();
}
