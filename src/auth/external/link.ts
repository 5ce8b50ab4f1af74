import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import {
  deleteExternalIdentity,
  insertExternalIdentity,
  selectExternalIdentities,
  selectExternalIdentity,
} from '../../db/external-identity.ts';
import { lockFactorUser } from '../../db/second-factor.ts';
import { selectAccounts } from '../../db/user.ts';
import { deleteSessionsOfIdentity } from '../../db/user-session.ts';
import { type Id, newId, type SignInId, type UserId } from '../../lib/ids.ts';
import { queueMail } from '../../mail/outbox.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { openAccounts } from '../accounts/account.ts';
import { EmailUnverifiedError } from '../members/errors.ts';
import type { ExternalDeps } from './deps.ts';
import {
  ExternalIdentityLimitError,
  ExternalIdentityNotFoundError,
  ExternalIdentityTakenError,
  ExternalSignInRefusedError,
  LastSignInWayError,
} from './errors.ts';
import { subjectHash } from './keyed-hash.ts';
import type { ProvenIdentity } from './proof.ts';
import { namesByIssuer } from './providers.ts';

type IdentityId = Id<'externalIdentity'>;

/** Identities that an account can be linked with. */
export const IDENTITIES_MAX = 10;

/** An identity as its account's holder sees it. Times are milliseconds since the Unix epoch. */
export interface LinkedIdentity {
  readonly id: IdentityId;
  /** The provider's name; null: it is not set up here any more, and nobody can sign in with it. */
  readonly provider: string | null;
  readonly linkedAt: number;
  readonly lastUsedAt: number | null;
}

/** What an account is linked with, oldest first. */
export async function linkedIdentities(
  deps: Pick<ExternalDeps, 'db' | 'externalProviders'>,
  userId: UserId,
): Promise<readonly LinkedIdentity[]> {
  const names = namesByIssuer(deps.externalProviders);
  const rows = await selectExternalIdentities(deps.db, userId);
  return rows.map(({ id, issuer, createdAt, lastUsedAt }) => ({
    id,
    provider: names.get(issuer)?.name ?? null,
    linkedAt: createdAt,
    lastUsedAt,
  }));
}

/**
 * Whoever signs up with somebody else's address is not to leave a way in behind, for when its reader takes the account over by a mail.
 * @throws EmailUnverifiedError
 */
export async function requireVerifiedEmail(db: Kysely<Database>, userId: UserId): Promise<void> {
  const [account] = await selectAccounts(db, [userId]);
  if (account?.emailVerified !== true) throw new EmailUnverifiedError();
}

/**
 * Links an identity with the account of who is signed in, who is told so by mail. Again: nothing.
 * @throws EmailUnverifiedError
 * @throws ExternalIdentityTakenError when it is linked with another account, of which nothing is told
 * @throws ExternalIdentityLimitError
 * @throws ExternalSignInRefusedError when the account is gone
 */
export async function linkIdentity(
  deps: ExternalDeps,
  { userId, proven }: { readonly userId: UserId; readonly proven: ProvenIdentity },
): Promise<IdentityId> {
  const { issuer } = proven;
  const key = { issuer, subjectHash: subjectHash(deps.masterKey, proven) };
  return deps.db.transaction().execute(async (tx) => {
    if ((await lockFactorUser(tx, userId)) === undefined) throw new ExternalSignInRefusedError('no account');
    await requireVerifiedEmail(tx, userId);
    const known = await selectExternalIdentity(tx, key);
    if (known?.userId === userId) return known.id;
    if (known !== undefined) throw new ExternalIdentityTakenError();
    const held = await selectExternalIdentities(tx, userId);
    if (held.length >= IDENTITIES_MAX) throw new ExternalIdentityLimitError(IDENTITIES_MAX);
    const nowMs = deps.clock.nowMs();
    const id = newId('externalIdentity', nowMs);
    if (!(await insertExternalIdentity(tx, { ...key, id, userId, nowMs }))) {
      throw new ExternalIdentityTakenError();
    }
    await tellHolder(deps, tx, { userId, issuer, kind: 'IDENTITY_LINKED' });
    return id;
  });
}

/**
 * Unlinks an identity and ends the sign-ins that came by it, but for the one that asks.
 * @throws ExternalIdentityNotFoundError
 * @throws LastSignInWayError when there is no password and no other identity of a provider that is set up here
 */
export async function unlinkIdentity(
  deps: ExternalDeps,
  request: { readonly userId: UserId; readonly id: IdentityId; readonly asking: SignInId | null },
): Promise<void> {
  const { userId, id, asking } = request;
  const names = namesByIssuer(deps.externalProviders);
  await deps.db.transaction().execute(async (tx) => {
    const user = await lockFactorUser(tx, userId);
    const held = await selectExternalIdentities(tx, userId);
    const unlinked = held.find((identity) => identity.id === id);
    if (user === undefined || unlinked === undefined) throw new ExternalIdentityNotFoundError();
    const others = held.filter((identity) => identity !== unlinked && names.has(identity.issuer));
    if (user.passwordHash === null && others.length === 0) throw new LastSignInWayError();
    await drop(deps, tx, { userId, id, issuer: unlinked.issuer, except: asking });
  });
  await notifyAccessChanged(deps.bus, userId);
}

/**
 * Unlinks an identity that is no more, even if it was the only way to sign in: the account stays, and a code for a new password goes
 * to its address when somebody asks. Whose it was; null when nobody's.
 */
export async function dropIdentity(
  deps: ExternalDeps,
  tx: Transaction<Database>,
  proven: Pick<ProvenIdentity, 'issuer' | 'subject'>,
): Promise<{ readonly userId: UserId; readonly id: IdentityId } | null> {
  const { issuer } = proven;
  const key = { issuer, subjectHash: subjectHash(deps.masterKey, proven) };
  const identity = await selectExternalIdentity(tx, key);
  if (identity === undefined) return null;
  const { id, userId } = identity;
  await lockFactorUser(tx, userId);
  await drop(deps, tx, { userId, id, issuer, except: null });
  return { userId, id };
}

async function drop(
  deps: ExternalDeps,
  tx: Transaction<Database>,
  identity: {
    readonly userId: UserId;
    readonly id: IdentityId;
    readonly issuer: string;
    readonly except: SignInId | null;
  },
): Promise<void> {
  const { userId, id, issuer, except } = identity;
  await deleteSessionsOfIdentity(tx, { identityId: id, except });
  await deleteExternalIdentity(tx, id);
  await tellHolder(deps, tx, { userId, issuer, kind: 'IDENTITY_UNLINKED' });
}

async function tellHolder(
  deps: ExternalDeps,
  tx: Transaction<Database>,
  {
    userId,
    issuer,
    kind,
  }: {
    readonly userId: UserId;
    readonly issuer: string;
    readonly kind: 'IDENTITY_LINKED' | 'IDENTITY_UNLINKED';
  },
): Promise<void> {
  const [account] = await openAccounts(deps, await selectAccounts(tx, [userId]));
  if (account === undefined) return;
  const provider = namesByIssuer(deps.externalProviders).get(issuer)?.title ?? new URL(issuer).host;
  await queueMail(deps, tx, { userId, to: account.email, letter: { kind, provider } });
}
