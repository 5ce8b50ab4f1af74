import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectUserAccess, type UserAccessRow } from '../db/user-access.ts';
import type { UserId } from '../lib/ids.ts';
import type { SignedInUser, UserCredential } from './viewer.ts';

/** A sign-in or a token, and whose it is. Times are milliseconds since the Unix epoch. */
export interface Holding {
  readonly userId: UserId;
  readonly credential: UserCredential;
  readonly signedInAt: number;
  readonly mfaAt: number | null;
}

/** How long a factor counts as freshly shown, in milliseconds. */
const FRESH_MS = 5 * 60_000;

/** The users behind these credentials with what they may do now, in the same order; null for who may not sign in. */
export async function userViewers(
  { db }: { readonly db: Kysely<Database> },
  holdings: readonly Holding[],
): Promise<readonly (SignedInUser | null)[]> {
  if (holdings.length === 0) return [];
  const access = await selectUserAccess(db, [...new Set(holdings.map(({ userId }) => userId))]);
  return holdings.map((holding) => {
    const row = access.get(holding.userId);
    return row === undefined ? null : viewerOf(holding, row);
  });
}

function viewerOf({ userId, credential, signedInAt, mfaAt }: Holding, row: UserAccessRow): SignedInUser {
  const isStaff = row.platformRole !== 'USER';
  return {
    kind: 'USER',
    userId,
    platformRole: row.platformRole,
    emailVerified: row.emailVerified,
    credential,
    mfa: mfaAt !== null ? 'DONE' : isStaff ? 'MISSING' : 'NOT_REQUIRED',
    // A token is kept in a program: nobody has shown it a factor just now.
    freshUntilMs: credential.kind === 'TOKEN' ? null : Math.max(signedInAt, mfaAt ?? signedInAt) + FRESH_MS,
    memberships: row.memberships,
    staffAccess: new Set(),
  };
}
