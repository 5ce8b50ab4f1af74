import { type Kysely, sql } from 'kysely';
import type { FollowRole, Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type MemberId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** An audience member as they lie in the database: the profile still sealed. Times are milliseconds since the Unix epoch. */
export interface MemberRow {
  readonly id: MemberId;
  readonly channelId: ChannelId;
  readonly provider: Provider;
  readonly userHash: Buffer;
  readonly profile: Buffer;
  readonly followRole: FollowRole;
  readonly isModerator: boolean;
  readonly isSubscriber: boolean;
  readonly teamMemberLevel: number;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
}

interface RawMember {
  id: string;
  channel_id: string;
  provider: Provider;
  user_hash: Buffer;
  profile: Buffer;
  follow_role: FollowRole;
  is_moderator: boolean;
  is_subscriber: boolean;
  team_member_level: number;
  first_ms: number;
  last_ms: number;
}

const columns = sql`
  member.id, member.channel_id, member.provider, member.user_hash, member.profile, member.follow_role,
  member.is_moderator, member.is_subscriber, member.team_member_level,
  (extract(epoch from member.first_seen_at) * 1000)::float8 as first_ms,
  (extract(epoch from member.last_seen_at) * 1000)::float8 as last_ms`;

function memberOf(row: RawMember): MemberRow {
  return {
    id: idFromUuid('member', row.id),
    channelId: idFromUuid('channel', row.channel_id),
    provider: row.provider,
    userHash: row.user_hash,
    profile: row.profile,
    followRole: row.follow_role,
    isModerator: row.is_moderator,
    isSubscriber: row.is_subscriber,
    teamMemberLevel: row.team_member_level,
    firstSeenAt: row.first_ms,
    lastSeenAt: row.last_ms,
  };
}

/** The members with these ids, in no particular order; erased and unknown ones are left out. */
export async function selectMembersById(
  db: Kysely<Database>,
  ids: readonly MemberId[],
): Promise<readonly MemberRow[]> {
  const result = await sql<RawMember>`
    /* selectMembersById */
    select ${columns} from audience_member as member where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(memberOf);
}

/** The members with these keyed hashes of their provider user ids, in no particular order. */
export async function selectMembersByUser(
  db: Kysely<Database>,
  keys: readonly { readonly channelId: ChannelId; readonly provider: Provider; readonly userHash: Buffer }[],
): Promise<readonly MemberRow[]> {
  const result = await sql<RawMember>`
    /* selectMembersByUser */
    select ${columns}
    from unnest(${keys.map((key) => uuidFromId(key.channelId))}::uuid[], ${keys.map((key) => key.provider)}::text[],
      ${keys.map((key) => key.userHash)}::bytea[]) as wanted (channel_id, provider, user_hash)
    join audience_member as member using (channel_id, provider, user_hash)
  `.execute(db);
  return result.rows.map(memberOf);
}

/** The members whose handle, as last seen, has this keyed hash; the latest seen first. */
export async function selectMembersByHandle(
  db: Kysely<Database>,
  query: { readonly channelId: ChannelId; readonly handleHash: Buffer; readonly limit: number },
): Promise<readonly MemberRow[]> {
  const result = await sql<RawMember>`
    /* selectMembersByHandle */
    select ${columns} from audience_member as member
    where channel_id = ${uuidFromId(query.channelId)} and handle_hash = ${query.handleHash}
    order by last_seen_at desc, id limit ${query.limit}
  `.execute(db);
  return result.rows.map(memberOf);
}

/** A handle's place in a member's history: by the time it was first seen, then by its hash. */
export interface HandlePlace {
  readonly firstSeenAt: number;
  readonly handleHash: Buffer;
}

/** A handle a member was seen with, still sealed. */
export interface MemberHandleRow extends HandlePlace {
  readonly sealedHandle: Buffer;
}

/** The handles a member was seen with, oldest first, `limit` of them after the given place. */
export async function selectMemberHandles(
  db: Kysely<Database>,
  query: { readonly memberId: MemberId; readonly after: HandlePlace | null; readonly limit: number },
): Promise<readonly MemberHandleRow[]> {
  const { after } = query;
  const beyond =
    after === null
      ? sql`true`
      : sql`(first_seen_at, handle_hash) > (to_timestamp(${after.firstSeenAt}::float8 / 1000), ${after.handleHash})`;
  const result = await sql<{ handle: Buffer; handle_hash: Buffer; first_ms: number }>`
    /* selectMemberHandles */
    select handle, handle_hash, (extract(epoch from first_seen_at) * 1000)::float8 as first_ms
    from member_handle where member_id = ${uuidFromId(query.memberId)} and ${beyond}
    order by first_seen_at, handle_hash limit ${query.limit}
  `.execute(db);
  return result.rows.map((row) => ({
    firstSeenAt: row.first_ms,
    handleHash: row.handle_hash,
    sealedHandle: row.handle,
  }));
}
