import { deleteSubjectKeys } from '../../db/subject-key.ts';
import { adoptOwnerlessChannels, anyAdmin, selectAccountByEmail } from '../../db/user.ts';
import { newId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { sealContext } from '../../privacy/context.ts';
import { open } from '../../privacy/envelope.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { EmailTakenError, TokenInvalidError } from './account-errors.ts';
import { mayMail, takeRequest } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash, parseEmailAddress } from './email-address.ts';
import { type NewAccountRequest, parseDisplayName, storeAccount } from './new-account.ts';
import { issueOneTimeToken, useOneTimeToken } from './one-time-tokens.ts';

export interface SignUpRequest {
  readonly email: string;
  readonly password: string;
  readonly displayName: string | null;
  /** Printed at the start of an installation that nobody has signed up to: makes its holder the first administrator. */
  readonly setupCode: string | null;
  readonly address: string | null;
}

/**
 * Makes an account, or does nothing when the address has one: who asks is told the same, and only a mail to the address
 * tells which. With the setup code the account is an ADMIN, owns every channel without an owner and needs no mail.
 * @throws InvalidInputError, WeakPasswordError, RateLimitedError, TokenInvalidError
 * @throws EmailTakenError, told to the holder of the setup code alone, which then stays good
 */
export async function signUp(deps: AccountDeps, request: SignUpRequest): Promise<void> {
  await takeRequest(deps.limiter, 'sign-up', request.address);
  const email = parseEmailAddress(request.email, 'email');
  const displayName = parseDisplayName(request.displayName);
  const words = [email, ...(displayName === null ? [] : [displayName])];
  await deps.passwordStrength.require(request.password, { field: 'password', words });
  const passwordHash = await deps.passwords.hash(request.password);
  const hash = emailHash(deps.masterKey, email);
  const draft = { id: newId('user', deps.clock.nowMs()), email, displayName, hash, passwordHash };
  if (request.setupCode === null) await storeOrTell(deps, draft);
  else await storeAdministrator(deps, draft, request.setupCode);
  await notifyAccessChanged(deps.bus, draft.id);
}

interface Draft extends Pick<NewAccountRequest, 'id' | 'email' | 'displayName' | 'passwordHash'> {
  readonly hash: Buffer;
}

/** @throws TokenInvalidError, EmailTakenError (the code then stays good) */
async function storeAdministrator(deps: AccountDeps, draft: Draft, setupCode: string): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    await useOneTimeToken(tx, { token: setupCode, kind: 'SETUP', nowMs: deps.clock.nowMs() });
    // Another code may have been made while the one before it was used.
    if (await anyAdmin(tx)) throw new TokenInvalidError();
    const account = { ...draft, platformRole: 'ADMIN', emailVerified: true } as const;
    if (!(await storeAccount(deps, tx, account))) throw new EmailTakenError();
    await adoptOwnerlessChannels(tx, draft.id);
  });
}

/**
 * Makes the account, or tells the holder of the address that they have one. Both are the same statements, so that the time tells
 * as little as the answer, and neither leaves anything of the other.
 */
async function storeOrTell(deps: AccountDeps, draft: Draft): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const mayTell = await mayMail(deps.limiter, draft.hash.toString('hex'));
  await deps.db.transaction().execute(async (tx) => {
    const made = await storeAccount(deps, tx, { ...draft, platformRole: 'USER', emailVerified: false });
    const nobody = newId('user', nowMs);
    await deleteSubjectKeys(tx, [made ? nobody : draft.id]);
    const userId = made ? draft.id : nobody;
    const token = await issueOneTimeToken(tx, { kind: 'EMAIL_VERIFICATION', userId, nowMs });
    const holder = await selectAccountByEmail(tx, draft.hash);
    if (holder === undefined) return; // deleted this moment
    const keys = await deps.vault.dataKeys([holder.id], { create: false, fresh: true }, tx);
    const key = keys.get(holder.id);
    if (key === undefined) return;
    const to = open(key, sealContext.userEmail(holder.id), holder.email).toString('utf8');
    const letter = made
      ? ({ kind: 'VERIFY_EMAIL', token } as const)
      : ({ kind: 'ALREADY_SIGNED_UP' } as const);
    const heldBack = !made && !mayTell;
    await queueMail(deps, tx, { userId: holder.id, to, letter, key, heldBack });
  });
}

/**
 * A fresh setup code, in place of an earlier one; null when there is an administrator. Good for a day, once. A stranger who
 * signs up first takes it from nobody.
 */
export async function issueSetupCode(deps: Pick<AccountDeps, 'db' | 'clock'>): Promise<string | null> {
  return deps.db.transaction().execute(async (tx) => {
    if (await anyAdmin(tx)) return null;
    return issueOneTimeToken(tx, { kind: 'SETUP', userId: null, nowMs: deps.clock.nowMs() });
  });
}
