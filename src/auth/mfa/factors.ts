import type { Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { deletePasskey, selectPasskeys, updatePasskeyName } from '../../db/passkey.ts';
import { deleteRecoveryCodes } from '../../db/recovery-code.ts';
import { countFactors, type FactorUser, lockFactorUser } from '../../db/second-factor.ts';
import { deleteTotp, selectTotp } from '../../db/totp-factor.ts';
import type { Id, UserId } from '../../lib/ids.ts';
import { sealContext } from '../../privacy/context.ts';
import { open, seal } from '../../privacy/envelope.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { type MfaDeps, userKey } from './enrolment.ts';
import { FactorNotFoundError, LastFactorError } from './factor-errors.ts';
import { demandsSecondFactor } from './mfa-state.ts';
import { makeRecoveryCodes } from './recovery-codes.ts';

/** A passkey as its user sees it. Times are milliseconds since the Unix epoch. */
export interface Passkey {
  readonly id: Id<'passkey'>;
  readonly name: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** What a user can show as a second factor. */
export interface SecondFactors {
  /** When the authenticator app was confirmed, in milliseconds since the Unix epoch; null: there is none. */
  readonly totpSince: number | null;
  /** Oldest first. */
  readonly passkeys: readonly Passkey[];
  readonly recoveryCodesLeft: number;
}

type FactorDeps = Pick<MfaDeps, 'db' | 'vault' | 'clock' | 'bus'>;

/** The user's factors. */
export async function factorsOf(deps: Pick<MfaDeps, 'db' | 'vault'>, userId: UserId): Promise<SecondFactors> {
  const [totp, rows, counts, key] = await Promise.all([
    selectTotp(deps.db, userId),
    selectPasskeys(deps.db, userId),
    countFactors(deps.db, userId),
    userKey(deps, userId),
  ]);
  const passkeys = rows.map(({ id, name, createdAt, lastUsedAt }) => ({
    id,
    name: open(key, sealContext.passkeyName(id), name).toString('utf8'),
    createdAt,
    lastUsedAt,
  }));
  return { totpSince: totp?.confirmedAt ?? null, passkeys, recoveryCodesLeft: counts.recoveryCodes };
}

/**
 * Removes the authenticator app.
 * @throws FactorNotFoundError
 * @throws LastFactorError when the role demands one
 */
export function removeTotp(deps: FactorDeps, userId: UserId): Promise<void> {
  return remove(deps, userId, (tx) => deleteTotp(tx, userId));
}

/**
 * Removes a passkey.
 * @throws FactorNotFoundError
 * @throws LastFactorError when the role demands one
 */
export function removePasskey(
  deps: FactorDeps,
  { userId, id }: { readonly userId: UserId; readonly id: Id<'passkey'> },
): Promise<void> {
  return remove(deps, userId, (tx) => deletePasskey(tx, { userId, id }));
}

/**
 * Gives a passkey another name.
 * @throws FactorNotFoundError
 */
export async function renamePasskey(
  deps: FactorDeps,
  { userId, id, name }: { readonly userId: UserId; readonly id: Id<'passkey'>; readonly name: string },
): Promise<void> {
  const sealed = seal(await userKey(deps, userId), sealContext.passkeyName(id), name);
  if (!(await updatePasskeyName(deps.db, { userId, id, name: sealed }))) throw new FactorNotFoundError();
}

/**
 * Ten new recovery codes; the earlier ones stop working.
 * @throws FactorNotFoundError when there is no factor that they could stand in for
 */
export async function regenerateRecoveryCodes(deps: FactorDeps, userId: UserId): Promise<readonly string[]> {
  return deps.db.transaction().execute(async (tx) => {
    await lockUser(tx, userId);
    const { totp, passkeys } = await countFactors(tx, userId);
    if (totp + passkeys === 0) throw new FactorNotFoundError();
    return makeRecoveryCodes(deps, tx, userId);
  });
}

/** With the last factor go the recovery codes, which only stand in for one. */
async function remove(
  deps: FactorDeps,
  userId: UserId,
  drop: (tx: Transaction<Database>) => Promise<boolean>,
): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    const { platformRole } = await lockUser(tx, userId);
    if (!(await drop(tx))) throw new FactorNotFoundError();
    const { totp, passkeys } = await countFactors(tx, userId);
    if (totp + passkeys > 0) return;
    if (demandsSecondFactor(platformRole)) throw new LastFactorError();
    await deleteRecoveryCodes(tx, userId);
  });
  await notifyAccessChanged(deps.bus, userId);
}

async function lockUser(tx: Transaction<Database>, userId: UserId): Promise<FactorUser> {
  const user = await lockFactorUser(tx, userId);
  if (user === undefined) throw new FactorNotFoundError();
  return user;
}
