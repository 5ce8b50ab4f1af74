import { type Kysely, sql, type Transaction } from 'kysely';
import type { ChannelRole } from '../auth/viewer.ts';
import { type ChannelId, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What somebody is in a channel. Times are milliseconds since the Unix epoch. */
export interface ChannelMemberRow {
  readonly channelId: ChannelId;
  readonly userId: UserId;
  readonly role: ChannelRole;
  readonly since: number;
}

/** Somebody of a channel's team, with their name as it is stored: sealed, or null. */
export interface TeamRow extends ChannelMemberRow {
  readonly displayName: Buffer | null;
}

interface RawMember {
  channel_id: string;
  user_id: string;
  role: ChannelRole;
  since_ms: number;
}

const columns = sql`member.channel_id, member.user_id, member.role,
  (extract(epoch from member.created_at) * 1000)::float8 as since_ms`;
/** Owners who can sign in: the others cannot look after a channel. */
const activeOwners = sql`channel_member as owner join app_user on app_user.id = owner.user_id
  and app_user.disabled_at is null and app_user.deleted_at is null and owner.role = 'OWNER'`;

function memberOf(row: RawMember): ChannelMemberRow {
  return {
    channelId: idFromUuid('channel', row.channel_id),
    userId: idFromUuid('user', row.user_id),
    role: row.role,
    since: Math.floor(row.since_ms),
  };
}

/**
 * Locks the channel's row: every change of its team takes this lock first, so that they happen one after the other.
 * False when there is no such channel.
 */
export async function lockChannel(tx: Transaction<Database>, channelId: ChannelId): Promise<boolean> {
  const result = await sql`
    /* lockChannel */
    select 1 from channel where id = ${uuidFromId(channelId)} for no key update
  `.execute(tx);
  return result.rows.length === 1;
}

/** Locks the channels that the user owns, in the order of their ids, and names them. */
export async function lockOwnedChannels(
  tx: Transaction<Database>,
  userId: UserId,
): Promise<readonly ChannelId[]> {
  const result = await sql<{ id: string }>`
    /* lockOwnedChannels */
    select channel.id from channel join channel_member on channel_member.channel_id = channel.id
    where channel_member.user_id = ${uuidFromId(userId)} and channel_member.role = 'OWNER'
    order by channel.id for no key update of channel
  `.execute(tx);
  return result.rows.map(({ id }) => idFromUuid('channel', id));
}

/**
 * Whether one of these channels has no other owner than the user who could look after it. Needs their locks: it sees what those
 * have done for whom the locks waited.
 */
export async function anyOwnedByNobodyElse(
  tx: Transaction<Database>,
  { channelIds, userId }: { readonly channelIds: readonly ChannelId[]; readonly userId: UserId },
): Promise<boolean> {
  const result = await sql`
    /* anyOwnedByNobodyElse */
    select 1 from channel_member as mine
    where channel_id = any(${channelIds.map(uuidFromId)}::uuid[]) and user_id = ${uuidFromId(userId)} and role = 'OWNER'
      and not exists (
        select from ${activeOwners} where owner.channel_id = mine.channel_id and owner.user_id <> mine.user_id
      )
    limit 1
  `.execute(tx);
  return result.rows.length > 0;
}

/** What the user is in the channel, or undefined. */
export async function selectChannelMember(
  db: Kysely<Database>,
  key: { readonly channelId: ChannelId; readonly userId: UserId },
): Promise<ChannelMemberRow | undefined> {
  const result = await sql<RawMember>`
    /* selectChannelMember */
    select ${columns} from channel_member as member
    where channel_id = ${uuidFromId(key.channelId)} and user_id = ${uuidFromId(key.userId)}
  `.execute(db);
  return result.rows.map(memberOf)[0];
}

/** A channel's team in the order of the members' ids, `limit` of them after `afterId`; who is deleted is left out. */
export async function selectTeamPage(
  db: Kysely<Database>,
  page: { readonly channelId: ChannelId; readonly afterId: UserId | null; readonly limit: number },
): Promise<readonly TeamRow[]> {
  const after = page.afterId === null ? sql`true` : sql`member.user_id > ${uuidFromId(page.afterId)}::uuid`;
  const result = await sql<RawMember & { display_name: Buffer | null }>`
    /* selectTeamPage */
    select ${columns}, app_user.display_name from channel_member as member join app_user on app_user.id = member.user_id
    where member.channel_id = ${uuidFromId(page.channelId)} and app_user.deleted_at is null and ${after}
    order by member.user_id limit ${page.limit}
  `.execute(db);
  return result.rows.map((row) => ({ ...memberOf(row), displayName: row.display_name }));
}

/** One of a channel's team, as `selectTeamPage` has them. */
export async function selectTeamMember(
  db: Kysely<Database>,
  key: { readonly channelId: ChannelId; readonly userId: UserId },
): Promise<TeamRow | undefined> {
  const result = await sql<RawMember & { display_name: Buffer | null }>`
    /* selectTeamMember */
    select ${columns}, app_user.display_name from channel_member as member join app_user on app_user.id = member.user_id
    where member.channel_id = ${uuidFromId(key.channelId)} and member.user_id = ${uuidFromId(key.userId)}
      and app_user.deleted_at is null
  `.execute(db);
  return result.rows.map((row) => ({ ...memberOf(row), displayName: row.display_name }))[0];
}

/** The user's channels in the order of the channels' ids, `limit` of them after `afterId`. */
export async function selectMembershipPage(
  db: Kysely<Database>,
  page: { readonly userId: UserId; readonly afterId: ChannelId | null; readonly limit: number },
): Promise<readonly ChannelMemberRow[]> {
  const after = page.afterId === null ? sql`true` : sql`channel_id > ${uuidFromId(page.afterId)}::uuid`;
  const result = await sql<RawMember>`
    /* selectMembershipPage */
    select ${columns} from channel_member as member where user_id = ${uuidFromId(page.userId)} and ${after}
    order by channel_id limit ${page.limit}
  `.execute(db);
  return result.rows.map(memberOf);
}

/** Sets what the user is in the channel, whatever they were. Needs the channel's lock. */
export async function upsertChannelMember(
  tx: Transaction<Database>,
  member: ChannelMemberRow,
): Promise<void> {
  await sql`
    /* upsertChannelMember */
    insert into channel_member (channel_id, user_id, role, created_at)
    values (${uuidFromId(member.channelId)}, ${uuidFromId(member.userId)}, ${member.role},
      to_timestamp(${member.since}::float8 / 1000))
    on conflict (channel_id, user_id) do update set role = excluded.role
  `.execute(tx);
}

/** Takes somebody out of the channel. Needs the channel's lock. */
export async function deleteChannelMember(
  tx: Transaction<Database>,
  key: { readonly channelId: ChannelId; readonly userId: UserId },
): Promise<void> {
  await sql`
    /* deleteChannelMember */
    delete from channel_member where channel_id = ${uuidFromId(key.channelId)} and user_id = ${uuidFromId(key.userId)}
  `.execute(tx);
}

/** Takes somebody out of every channel. Needs the locks of those they own. @see lockOwnedChannels */
export async function deleteMembershipsOf(tx: Transaction<Database>, userId: UserId): Promise<void> {
  await sql`
    /* deleteMembershipsOf */
    delete from channel_member where user_id = ${uuidFromId(userId)}
  `.execute(tx);
}

/** How many owners who can sign in the channel has, and how many at all. Needs the channel's lock. */
export async function countOwners(
  tx: Transaction<Database>,
  channelId: ChannelId,
  options: { readonly except: UserId | null } = { except: null },
): Promise<{ readonly active: number; readonly all: number }> {
  const others =
    options.except === null ? sql`true` : sql`owner.user_id <> ${uuidFromId(options.except)}::uuid`;
  const result = await sql<{ active_owners: number; all_owners: number }>`
    /* countOwners */
    select
      (select count(*)::int4 from ${activeOwners} where owner.channel_id = ${uuidFromId(channelId)} and ${others}) as active_owners,
      (select count(*)::int4 from channel_member as owner
        where owner.channel_id = ${uuidFromId(channelId)} and owner.role = 'OWNER' and ${others}) as all_owners
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) throw new Error('a count is always there');
  return { active: row.active_owners, all: row.all_owners };
}

/** How many channels the user owns. Needs the user's lock. */
export async function countOwnedChannels(tx: Transaction<Database>, userId: UserId): Promise<number> {
  const result = await sql<{ channels: number }>`
    /* countOwnedChannels */
    select count(*)::int4 as channels from channel_member where user_id = ${uuidFromId(userId)} and role = 'OWNER'
  `.execute(tx);
  return result.rows[0]?.channels ?? 0;
}
