import type { Kysely, Transaction } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import { insertPasskey, selectPasskeys } from '../../db/passkey.ts';
import { countFactors, lockFactorUser, selectFactorUser } from '../../db/second-factor.ts';
import { confirmTotp, putPendingTotp, selectTotp } from '../../db/totp-factor.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { newId, type SignInId, type UserId } from '../../lib/ids.ts';
import { sealContext } from '../../privacy/context.ts';
import { type DataKey, open, seal } from '../../privacy/envelope.ts';
import { madeKey, type Vault } from '../../privacy/vault.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import type { IssuedSession, SessionStore } from '../sessions/session-store.ts';
import { attemptFactor } from './attempts.ts';
import {
  FactorNotFoundError,
  FactorRefusedError,
  PasskeyLimitError,
  PasskeysUnavailableError,
  TotpAlreadyEnrolledError,
} from './factor-errors.ts';
import {
  checkAttestation,
  type NewPasskey,
  type PasskeyAttestation,
  passkeyCreationOptions,
} from './passkeys.ts';
import { makeRecoveryCodes } from './recovery-codes.ts';
import { type RelyingParty, relyingPartyOf } from './relying-party.ts';
import { matchTotp, newTotpSecret, totpSecretText, totpUri } from './totp.ts';

/** Passkeys per user: a phone, a computer, a spare key, and room. */
export const PASSKEYS_MAX = 10;

export interface MfaDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly sessions: SessionStore;
  /** Where browsers reach us. */
  readonly publicUrl: string;
}

/** Whose factors, and in which of their sign-ins. */
export interface FactorOwner {
  readonly userId: UserId;
  readonly signInId: SignInId;
}

/** A factor was added. */
export interface Enrolled {
  /** The sign-in goes on under this new token: it has shown a factor. */
  readonly issued: IssuedSession;
  /** Shown this once, when it was the first factor; else null, and the earlier ones stay. */
  readonly recoveryCodes: readonly string[] | null;
}

/**
 * A new secret for an authenticator app, which counts once a code of it is given to `finishTotp`. Asked for again, it is
 * another one and the former is forgotten.
 * @throws TotpAlreadyEnrolledError
 */
export async function beginTotp(
  deps: MfaDeps,
  userId: UserId,
): Promise<{ readonly secret: string; readonly uri: string }> {
  const key = await userKey(deps, userId);
  const secret = newTotpSecret();
  const sealed = seal(key, sealContext.totpSecret(userId), secret);
  if (!(await putPendingTotp(deps.db, { userId, secret: sealed, nowMs: deps.clock.nowMs() })))
    throw new TotpAlreadyEnrolledError();
  return { secret: totpSecretText(secret), uri: totpUri(secret, await accountLabel(deps, userId)) };
}

/**
 * Confirms the authenticator app by one of its codes.
 * @throws FactorNotFoundError when none was begun
 * @throws TotpAlreadyEnrolledError
 * @throws FactorRefusedError when the code is wrong
 * @throws TooManyFactorAttemptsError
 */
export async function finishTotp(deps: MfaDeps, owner: FactorOwner, code: string): Promise<Enrolled> {
  const { userId } = owner;
  const pending = await selectTotp(deps.db, userId);
  if (pending === undefined) throw new FactorNotFoundError();
  if (pending.confirmedAt !== null) throw new TotpAlreadyEnrolledError();
  const secret = open(await userKey(deps, userId), sealContext.totpSecret(userId), pending.secret);
  const nowMs = deps.clock.nowMs();
  let step: number | null = null;
  await attemptFactor(deps, userId, async () => {
    step = matchTotp(secret, { code, nowMs });
    return step !== null;
  });
  return enrol(deps, owner, async (tx) => {
    assert(step !== null, 'the attempt would have been refused');
    if (!(await confirmTotp(tx, { userId, secret: pending.secret, step, nowMs })))
      throw new TotpAlreadyEnrolledError();
  });
}

/**
 * Options for `navigator.credentials.create`, as JSON.
 * @throws PasskeyLimitError
 * @throws PasskeysUnavailableError
 */
export async function beginPasskey(deps: MfaDeps, owner: FactorOwner): Promise<string> {
  const party = partyOf(deps);
  const existing = await selectPasskeys(deps.db, owner.userId);
  if (existing.length >= PASSKEYS_MAX) throw new PasskeyLimitError(PASSKEYS_MAX);
  const label = await accountLabel(deps, owner.userId);
  return passkeyCreationOptions(deps, { ...owner, party, label, existing });
}

/**
 * Adds the passkey that an authenticator made.
 * @throws FactorRefusedError when it was not made here, now and with the user verified
 * @throws PasskeyLimitError
 * @throws PasskeysUnavailableError
 */
export async function finishPasskey(
  deps: MfaDeps,
  owner: FactorOwner,
  request: { readonly name: string; readonly attestation: PasskeyAttestation },
): Promise<Enrolled> {
  const { userId } = owner;
  const place = { ...owner, party: partyOf(deps) };
  const made = await checkAttestation(deps, place, request.attestation);
  if (made === null) throw new FactorRefusedError();
  const key = await userKey(deps, userId);
  return enrol(deps, owner, (tx) => storePasskey(deps, tx, { ...made, userId, key, name: request.name }));
}

async function storePasskey(
  deps: MfaDeps,
  tx: Transaction<Database>,
  passkey: NewPasskey & { readonly userId: UserId; readonly key: DataKey; readonly name: string },
): Promise<void> {
  const { userId, key, name, ...made } = passkey;
  const { passkeys } = await countFactors(tx, userId);
  if (passkeys >= PASSKEYS_MAX) throw new PasskeyLimitError(PASSKEYS_MAX);
  const createdAt = deps.clock.nowMs();
  const id = newId('passkey', createdAt);
  const sealedName = seal(key, sealContext.passkeyName(id), name);
  if (!(await insertPasskey(tx, { ...made, id, userId, name: sealedName, createdAt })))
    throw new FactorRefusedError();
}

/**
 * Adds a factor. The sign-in goes on under another token, having shown it; with the first factor all other sign-ins of the
 * user end, since none of them ever showed one.
 */
async function enrol(
  deps: MfaDeps,
  { userId, signInId }: FactorOwner,
  add: (tx: Transaction<Database>) => Promise<void>,
): Promise<Enrolled> {
  const recoveryCodes = await deps.db.transaction().execute(async (tx) => {
    if ((await lockFactorUser(tx, userId)) === undefined) throw new FactorNotFoundError();
    const before = await countFactors(tx, userId);
    await add(tx);
    return before.totp + before.passkeys > 0 ? null : makeRecoveryCodes(deps, tx, userId);
  });
  const issued = await deps.sessions.rotate(signInId, { mfaAt: deps.clock.nowMs() });
  if (issued === null) throw new FactorRefusedError();
  if (recoveryCodes !== null) await deps.sessions.revokeAll(userId, { except: issued.session.id });
  await notifyAccessChanged(deps.bus, userId);
  return { issued, recoveryCodes };
}

/**
 * The relying party of passkeys here.
 * @throws PasskeysUnavailableError
 */
export function partyOf({ publicUrl }: { readonly publicUrl: string }): RelyingParty {
  const party = relyingPartyOf(publicUrl);
  if (party === null) throw new PasskeysUnavailableError();
  return party;
}

/** The user's data key. Whoever is signed in has one. */
export function userKey({ vault }: { readonly vault: Vault }, userId: UserId): Promise<DataKey> {
  return madeKey(vault, userId);
}

/** What authenticators call the account: the e-mail address, which stays on the user's own device. */
async function accountLabel(deps: MfaDeps, userId: UserId): Promise<string> {
  const user = await selectFactorUser(deps.db, userId);
  if (user === undefined || user.email === null) return 'Tallylight';
  return open(await userKey(deps, userId), sealContext.userEmail(userId), user.email).toString('utf8');
}
