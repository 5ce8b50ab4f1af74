import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectStaffAccess } from '../db/staff-access.ts';
import { selectUserAccess, type UserAccessRow } from '../db/user-access.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId, UserId } from '../lib/ids.ts';
import { mfaStateOf } from './mfa/mfa-state.ts';
import type { SignedInUser, UserCredential } from './viewer.ts';

/** A sign-in or a token, and whose it is. Times are milliseconds since the Unix epoch. */
export interface Holding {
  readonly userId: UserId;
  readonly credential: UserCredential;
  readonly signedInAt: number;
  readonly mfaAt: number | null;
}

/** The users behind these credentials with what they may do now, in the same order; null for who may not sign in. */
export async function userViewers(
  { db, clock }: { readonly db: Kysely<Database>; readonly clock: Clock },
  holdings: readonly Holding[],
): Promise<readonly (SignedInUser | null)[]> {
  if (holdings.length === 0) return [];
  const access = await selectUserAccess(db, [...new Set(holdings.map(({ userId }) => userId))]);
  // Nobody else has any: what opens for staff closes with their role.
  const staff = [...access.values()].filter(({ platformRole }) => platformRole !== 'USER');
  const userIds = staff.map(({ userId }) => userId);
  const open =
    userIds.length === 0 ? undefined : await selectStaffAccess(db, { userIds, nowMs: clock.nowMs() });
  return holdings.map((holding) => {
    const row = access.get(holding.userId);
    const channels = open?.get(holding.userId)?.keys() ?? [];
    return row === undefined ? null : viewerOf(holding, row, new Set(channels));
  });
}

function viewerOf(
  { userId, credential, signedInAt, mfaAt }: Holding,
  row: UserAccessRow,
  staffAccess: ReadonlySet<ChannelId>,
): SignedInUser {
  const { mfa, freshUntilMs } = mfaStateOf({
    platformRole: row.platformRole,
    hasFactor: row.hasFactor,
    mfaAtMs: mfaAt,
    signedInAtMs: signedInAt,
  });
  return {
    kind: 'USER',
    userId,
    platformRole: row.platformRole,
    emailVerified: row.emailVerified,
    credential,
    mfa,
    // A token is kept in a program: nobody has shown it a factor just now.
    freshUntilMs: credential.kind === 'TOKEN' ? null : freshUntilMs,
    memberships: row.memberships,
    staffAccess,
  };
}
