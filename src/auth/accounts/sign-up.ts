import type { Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { adoptOwnerlessChannels, anyAdmin, insertAccount, selectAccountByEmail } from '../../db/user.ts';
import { InvalidInputError } from '../../errors/invalid-input.ts';
import { newId, type UserId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { sealContext } from '../../privacy/context.ts';
import { open, seal } from '../../privacy/envelope.ts';
import { madeKey } from '../../privacy/vault.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { mayMail, takeRequest } from './account-limits.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash, parseEmailAddress } from './email-address.ts';
import { issueOneTimeToken, useOneTimeToken } from './one-time-tokens.ts';

/** A display name has at most this many characters. */
const DISPLAY_NAME_MAX = 80;

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
 */
export async function signUp(deps: AccountDeps, request: SignUpRequest): Promise<void> {
  await takeRequest(deps.limiter, 'sign-up', request.address);
  const email = parseEmailAddress(request.email, 'email');
  const displayName = parseDisplayName(request.displayName);
  const words = [email, ...(displayName === null ? [] : [displayName])];
  await deps.passwordStrength.require(request.password, { field: 'password', words });
  const passwordHash = await deps.passwords.hash(request.password);
  const hash = emailHash(deps.masterKey, email);
  const id = newId('user', deps.clock.nowMs());
  const { setupCode } = request;
  const made = await deps.db.transaction().execute(async (tx) => {
    if (setupCode !== null) {
      await useOneTimeToken(tx, { token: setupCode, kind: 'SETUP', nowMs: deps.clock.nowMs() });
    }
    const isFirst = setupCode !== null;
    const account = { id, email, displayName, hash, passwordHash, isFirst };
    if (!(await storeAccount(deps, tx, account))) return false;
    if (isFirst) await adoptOwnerlessChannels(tx, id);
    else {
      const token = await issueOneTimeToken(tx, {
        kind: 'EMAIL_VERIFICATION',
        userId: id,
        nowMs: deps.clock.nowMs(),
      });
      await queueMail(deps, tx, { userId: id, to: email, letter: { kind: 'VERIFY_EMAIL', token } });
    }
    return true;
  });
  if (made) await notifyAccessChanged(deps.bus, id);
  else await tellHolder(deps, hash);
}

/** Seals and stores. False when the address has an account. */
async function storeAccount(
  deps: AccountDeps,
  tx: Transaction<Database>,
  account: {
    readonly id: UserId;
    readonly email: string;
    readonly displayName: string | null;
    readonly hash: Buffer;
    readonly passwordHash: string;
    readonly isFirst: boolean;
  },
): Promise<boolean> {
  const { id, email, displayName } = account;
  const key = await madeKey(deps.vault, id, tx);
  return insertAccount(tx, {
    id,
    emailHash: account.hash,
    email: seal(key, sealContext.userEmail(id), email),
    displayName: displayName === null ? null : seal(key, sealContext.userName(id), displayName),
    passwordHash: account.passwordHash,
    platformRole: account.isFirst ? 'ADMIN' : 'USER',
    emailVerified: account.isFirst,
    nowMs: deps.clock.nowMs(),
  });
}

async function tellHolder(deps: AccountDeps, hash: Buffer): Promise<void> {
  const account = await selectAccountByEmail(deps.db, hash);
  if (account === undefined || !(await mayMail(deps.limiter, hash.toString('hex')))) return;
  const key = (await deps.vault.dataKeys([account.id], { create: false })).get(account.id);
  if (key === undefined) return;
  const to = open(key, sealContext.userEmail(account.id), account.email).toString('utf8');
  await deps.db
    .transaction()
    .execute((tx) => queueMail(deps, tx, { userId: account.id, to, letter: { kind: 'ALREADY_SIGNED_UP' } }));
}

/** @throws InvalidInputError */
function parseDisplayName(text: string | null): string | null {
  const name = text?.trim().normalize('NFC') ?? '';
  if (name === '') return null;
  // Control characters and line breaks have no place in a name.
  if ([...name].length <= DISPLAY_NAME_MAX && !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(name)) return name;
  const message = `displayName must have at most ${DISPLAY_NAME_MAX} characters on one line.`;
  throw new InvalidInputError([{ path: ['displayName'], code: 'OUT_OF_RANGE', message }]);
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
