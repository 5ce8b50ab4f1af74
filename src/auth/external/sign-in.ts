import {
  type ExternalIdentityRow,
  insertExternalIdentity,
  selectExternalIdentity,
  touchExternalIdentity,
} from '../../db/external-identity.ts';
import { anyRemembered } from '../../db/external-memory.ts';
import { sqlState } from '../../db/sql-state.ts';
import { selectAccounts } from '../../db/user.ts';
import { InvalidInputError } from '../../errors/invalid-input.ts';
import { newId } from '../../lib/ids.ts';
import { parsedName } from '../../lib/name.ts';
import { openAccounts } from '../accounts/account.ts';
import { emailHash, parseEmailAddress } from '../accounts/email-address.ts';
import { knownDeviceCookie } from '../accounts/known-device.ts';
import { storeAccount } from '../accounts/new-account.ts';
import type { SignedIn } from '../accounts/sign-in.ts';
import { endReplacedSession } from '../sessions/replaced-session.ts';
import type { IssuedSession, NewSession } from '../sessions/session-store.ts';
import type { ExternalDeps } from './deps.ts';
import {
  ExternalEmailUnverifiedError,
  ExternalIdentityNotLinkedError,
  ExternalSignInRefusedError,
} from './errors.ts';
import { externalSessionHash, subjectHash } from './keyed-hash.ts';
import type { ProvenIdentity } from './proof.ts';

/** A foreign key whose row went away. */
const FOREIGN_KEY_VIOLATION = '23503';

/** Somebody is signed in; `created` when the account was made for it. */
export interface SignedInExternally extends SignedIn {
  readonly created: boolean;
}

/**
 * Signs in whom a provider has proven. A known identity opens its account. For an unknown one an account is made, if the provider
 * vouches for an e-mail address that no account has: one that has it is never linked by itself, since whoever made it may not be
 * who reads the address, nor the other way round. It is a first factor, as a password is: a second one stays owed.
 * @throws ExternalIdentityNotLinkedError, ExternalEmailUnverifiedError
 * @throws ExternalSignInRefusedError when the account may not sign in, or the identity ended meanwhile
 * @throws ExternalProviderUnavailableError
 */
export async function signInExternally(
  deps: ExternalDeps,
  request: {
    readonly proven: ProvenIdentity;
    readonly address: string | null;
    readonly userAgent: string | null;
    /** The session that the browser was in until now, if it brought one: it ends. */
    readonly sessionCookie: string | null;
  },
): Promise<SignedInExternally> {
  const { proven, address, userAgent } = request;
  const known = await identityOf(deps, proven);
  const identity = known ?? (await makeAccount(deps, proven));
  const { userId } = identity;
  const [row] = await selectAccounts(deps.db, [userId]);
  const [account] = row === undefined || row.disabled ? [] : await openAccounts(deps, [row]);
  if (account === undefined) throw new ExternalSignInRefusedError('the account may not sign in');
  const { sessionId, issuer } = proven;
  const sessionHash = sessionId === null ? null : externalSessionHash(deps.masterKey, { issuer, sessionId });
  const external = { identityId: identity.id, sessionHash };
  const issued = await createSession(deps, { userId, mfaAt: null, userAgent, address, external });
  await requireNotEnded(deps, proven, issued);
  await endReplacedSession(deps.sessions, request.sessionCookie);
  const nowMs = deps.clock.nowMs();
  await touchExternalIdentity(deps.db, { id: identity.id, nowMs });
  const device = { account: emailHash(deps.masterKey, account.email), nowMs };
  return {
    userId,
    issued,
    deviceCookie: knownDeviceCookie(deps.masterKey, device),
    created: known === undefined,
  };
}

function identityOf(deps: ExternalDeps, proven: ProvenIdentity): Promise<ExternalIdentityRow | undefined> {
  const { issuer } = proven;
  return selectExternalIdentity(deps.db, { issuer, subjectHash: subjectHash(deps.masterKey, proven) });
}

async function createSession(deps: ExternalDeps, session: NewSession): Promise<IssuedSession> {
  try {
    return await deps.sessions.create(session);
  } catch (error) {
    // It was unlinked while we looked.
    if (sqlState(error) === FOREIGN_KEY_VIOLATION) throw new ExternalSignInRefusedError(error);
    throw error;
  }
}

/**
 * Ends the session again when what it came of has ended elsewhere. Whoever says so remembers it first and ends sessions then: what
 * was made too late for the one is seen here.
 * @throws ExternalSignInRefusedError
 */
async function requireNotEnded(
  deps: ExternalDeps,
  proven: ProvenIdentity,
  { session }: IssuedSession,
): Promise<void> {
  const { issuer, sessionId } = proven;
  if (sessionId === null) return;
  const keyHashes = [
    subjectHash(deps.masterKey, proven),
    externalSessionHash(deps.masterKey, { issuer, sessionId }),
  ];
  const nowMs = deps.clock.nowMs();
  if (!(await anyRemembered(deps.db, { kind: 'CLERK_ENDED', keyHashes, nowMs }))) return;
  await deps.sessions.revoke({ userId: session.userId, id: session.id });
  throw new ExternalSignInRefusedError('the session or its user has ended at the provider');
}

/** Undoes a transaction: somebody else has linked the identity meanwhile. */
class LinkedMeanwhileError extends Error {}

/** The identity of a new account; of two that come at once with the same one, both get the account of the first. */
async function makeAccount(deps: ExternalDeps, proven: ProvenIdentity): Promise<ExternalIdentityRow> {
  if (!proven.opensAccounts) throw new ExternalIdentityNotLinkedError();
  const { email, emailVerified, displayName } = await proven.profile();
  const address = email === null || !emailVerified ? null : addressOrNull(email);
  if (address === null) throw new ExternalEmailUnverifiedError();
  const nowMs = deps.clock.nowMs();
  const userId = newId('user', nowMs);
  const id = newId('externalIdentity', nowMs);
  const { issuer } = proven;
  const account = {
    id: userId,
    email: address,
    emailVerified: true,
    displayName: displayName === null ? null : parsedName(displayName),
    passwordHash: null,
    platformRole: 'USER',
  } as const;
  const identity = { id, userId, issuer, subjectHash: subjectHash(deps.masterKey, proven), nowMs };
  try {
    const made = await deps.db.transaction().execute(async (tx) => {
      if (!(await storeAccount(deps, tx, account))) return false;
      if (!(await insertExternalIdentity(tx, identity))) throw new LinkedMeanwhileError();
      return true;
    });
    if (made) return { id, userId, issuer, createdAt: nowMs, lastUsedAt: null };
  } catch (error) {
    if (!(error instanceof LinkedMeanwhileError)) throw error;
  }
  // The address has an account: perhaps the one that was made for this very identity while we made ours.
  const linked = await identityOf(deps, proven);
  if (linked === undefined) throw new ExternalIdentityNotLinkedError();
  return linked;
}

/** What a provider sends and we would not take from a person counts as not sent. */
function addressOrNull(email: string): string | null {
  try {
    return parseEmailAddress(email, 'email');
  } catch (error) {
    if (error instanceof InvalidInputError) return null;
    throw error;
  }
}
