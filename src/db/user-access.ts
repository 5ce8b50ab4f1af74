import { type Kysely, sql } from 'kysely';
import type { ChannelRole, PlatformRole } from '../auth/viewer.ts';
import { type ChannelId, idFromUuid, type SignInId, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What a user may do, as far as it is stored with users and channels. */
export interface UserAccessRow {
  readonly userId: UserId;
  readonly platformRole: PlatformRole;
  readonly emailVerified: boolean;
  /** Whether they have a confirmed authenticator app or a passkey. */
  readonly hasFactor: boolean;
  readonly memberships: ReadonlyMap<ChannelId, ChannelRole>;
}

/** What these users may do. Who may not sign in (any more) is left out. */
export async function selectUserAccess(
  db: Kysely<Database>,
  userIds: readonly UserId[],
): Promise<ReadonlyMap<UserId, UserAccessRow>> {
  const result = await sql<{
    id: string;
    platform_role: PlatformRole;
    email_verified: boolean;
    has_factor: boolean;
    channel_ids: string[];
    roles: ChannelRole[];
  }>`
    /* selectUserAccess */
    select u.id, u.platform_role, u.email_verified_at is not null as email_verified,
      exists (select from totp_factor where user_id = u.id and confirmed_at is not null)
        or exists (select from passkey where user_id = u.id) as has_factor,
      coalesce(array_agg(m.channel_id::text) filter (where m.channel_id is not null), '{}') as channel_ids,
      coalesce(array_agg(m.role) filter (where m.channel_id is not null), '{}') as roles
    from app_user u left join channel_member m on m.user_id = u.id
    where u.id = any(${userIds.map(uuidFromId)}::uuid[]) and u.deleted_at is null and u.disabled_at is null
    group by u.id
  `.execute(db);
  return new Map(
    result.rows.map((row) => {
      const userId = idFromUuid('user', row.id);
      const memberships = new Map<ChannelId, ChannelRole>();
      row.channel_ids.forEach((channelId, index) => {
        const role = row.roles[index];
        if (role !== undefined) memberships.set(idFromUuid('channel', channelId), role);
      });
      return [
        userId,
        {
          userId,
          platformRole: row.platform_role,
          emailVerified: row.email_verified,
          hasFactor: row.has_factor,
          memberships,
        },
      ];
    }),
  );
}

/** Of a session what decides over its holder's rights. Times are milliseconds since the Unix epoch. */
export interface SignInStanding {
  readonly userId: UserId;
  readonly createdAt: number;
  readonly mfaAt: number | null;
}

/** These sessions as far as they last at `nowMs`. */
export async function selectSignInStandings(
  db: Kysely<Database>,
  { ids, nowMs }: { readonly ids: readonly SignInId[]; readonly nowMs: number },
): Promise<ReadonlyMap<SignInId, SignInStanding>> {
  const result = await sql<{ id: string; user_id: string; created_at: Date; mfa_at: Date | null }>`
    /* selectSignInStandings */
    select id, user_id, created_at, mfa_at from user_session
    where id = any(${ids.map(uuidFromId)}::uuid[]) and expires_at > ${new Date(nowMs)}
  `.execute(db);
  return new Map(
    result.rows.map((row) => [
      idFromUuid('signIn', row.id),
      {
        userId: idFromUuid('user', row.user_id),
        createdAt: row.created_at.getTime(),
        mfaAt: row.mfa_at?.getTime() ?? null,
      },
    ]),
  );
}
