import { type Kysely, sql } from 'kysely';
import { type ChannelId, type Id, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A reason of staff to look into a channel. Times are milliseconds since the Unix epoch. */
export interface StaffAccessRow {
  readonly id: Id<'staffAccess'>;
  readonly userId: UserId;
  readonly channelId: ChannelId;
  /** Sealed under the user's key. */
  readonly reason: Buffer;
  readonly openedAt: number;
  readonly expiresAt: number;
}

/** Opens a channel to staff. False when there is no such channel. */
export async function insertStaffAccess(db: Kysely<Database>, row: StaffAccessRow): Promise<boolean> {
  const result = await sql`
    /* insertStaffAccess */
    insert into staff_access (id, user_id, channel_id, reason, opened_at, expires_at)
    select ${uuidFromId(row.id)}::uuid, ${uuidFromId(row.userId)}::uuid, id, ${row.reason}::bytea,
      ${new Date(row.openedAt)}::timestamptz, ${new Date(row.expiresAt)}::timestamptz
    from channel where id = ${uuidFromId(row.channelId)}
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** The channels open to each of these users at `nowMs`, and until when. Who has none is left out. */
export async function selectStaffAccess(
  db: Kysely<Database>,
  { userIds, nowMs }: { readonly userIds: readonly UserId[]; readonly nowMs: number },
): Promise<ReadonlyMap<UserId, ReadonlyMap<ChannelId, number>>> {
  const result = await sql<{ user_id: string; channel_id: string; expires_at: Date }>`
    /* selectStaffAccess */
    select user_id, channel_id, max(expires_at) as expires_at from staff_access
    where user_id = any(${userIds.map(uuidFromId)}::uuid[]) and expires_at > ${new Date(nowMs)}
    group by user_id, channel_id
  `.execute(db);
  const access = new Map<UserId, Map<ChannelId, number>>();
  for (const row of result.rows) {
    const userId = idFromUuid('user', row.user_id);
    const channels = access.get(userId) ?? new Map<ChannelId, number>();
    access.set(userId, channels.set(idFromUuid('channel', row.channel_id), row.expires_at.getTime()));
  }
  return access;
}
