import { type Kysely, sql } from 'kysely';
import type { FollowRole, Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type MemberId, uuidFromId } from '../lib/ids.ts';
import { boolArray, byteaArray, int4Array, textArray, timestamptzArray, uuidArray } from './binary-array.ts';
import type { Database } from './connect.ts';

/** How a member is found. */
export interface MemberLocator {
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** 16 bytes. @see Vault.userHash */
  readonly userHash: Buffer;
}

/** What is known of a member without reading their profile. */
export interface KnownMember {
  readonly id: MemberId;
  readonly profileHash: Buffer;
  readonly handleHash: Buffer;
  readonly lastSeenAt: number;
}

/** Everything of a member that changes when the provider tells something new. */
export interface MemberProfileRow {
  readonly id: MemberId;
  readonly handleHash: Buffer;
  /** Sealed. */
  readonly profile: Buffer;
  readonly profileHash: Buffer;
  readonly followRole: FollowRole;
  readonly isModerator: boolean;
  readonly isSubscriber: boolean;
  readonly teamMemberLevel: number;
  /** Milliseconds since the Unix epoch. */
  readonly lastSeenAt: number;
}

export interface NewMemberRow extends MemberProfileRow, MemberLocator {
  readonly firstSeenAt: number;
}

/** A handle a member was seen with. */
export interface MemberHandleRow {
  readonly memberId: MemberId;
  readonly handleHash: Buffer;
  /** Sealed. */
  readonly handle: Buffer;
  readonly firstSeenAt: number;
}

/** The members at these places, by the place's index; who is not known is left out. */
export async function selectKnownMembers(
  db: Kysely<Database>,
  locators: readonly MemberLocator[],
): Promise<ReadonlyMap<number, KnownMember>> {
  if (locators.length === 0) return new Map();
  const result = await sql<{
    place: number;
    id: string;
    profile_hash: Buffer;
    handle_hash: Buffer;
    last_seen_at: number;
  }>`
    /* selectKnownMembers */
    select w.place::int4 as place, m.id, m.profile_hash, m.handle_hash,
      (extract(epoch from m.last_seen_at) * 1000)::float8 as last_seen_at
    from unnest(
      ${uuidArray(locators.map((locator) => uuidFromId(locator.channelId)))}::uuid[],
      ${textArray(locators.map((locator) => locator.provider))}::text[],
      ${byteaArray(locators.map((locator) => locator.userHash))}::bytea[]
    ) with ordinality as w (channel_id, provider, user_hash, place)
    join audience_member as m using (channel_id, provider, user_hash)`.execute(db);
  return new Map(
    result.rows.map((row) => [
      row.place - 1,
      {
        id: idFromUuid('member', row.id),
        profileHash: row.profile_hash,
        handleHash: row.handle_hash,
        lastSeenAt: row.last_seen_at,
      },
    ]),
  );
}

/**
 * Stores members that were not known, leaving alone those that somebody else stored meanwhile. Returns the ids really
 * stored. Rows go in by place, so that two writers wait for each other instead of locking up.
 */
export async function insertMembers(
  db: Kysely<Database>,
  members: readonly NewMemberRow[],
): Promise<ReadonlySet<MemberId>> {
  const result = await sql<{ id: string }>`
    /* insertMembers */
    insert into audience_member (id, channel_id, provider, user_hash, handle_hash, profile, profile_hash, follow_role,
      is_moderator, is_subscriber, team_member_level, first_seen_at, last_seen_at)
    select * from unnest(
      ${uuidArray(members.map((member) => uuidFromId(member.id)))}::uuid[],
      ${uuidArray(members.map((member) => uuidFromId(member.channelId)))}::uuid[],
      ${textArray(members.map((member) => member.provider))}::text[],
      ${byteaArray(members.map((member) => member.userHash))}::bytea[],
      ${byteaArray(members.map((member) => member.handleHash))}::bytea[],
      ${byteaArray(members.map((member) => member.profile))}::bytea[],
      ${byteaArray(members.map((member) => member.profileHash))}::bytea[],
      ${textArray(members.map((member) => member.followRole))}::text[],
      ${boolArray(members.map((member) => member.isModerator))}::bool[],
      ${boolArray(members.map((member) => member.isSubscriber))}::bool[],
      ${int4Array(members.map((member) => member.teamMemberLevel))}::int4[],
      ${timestamptzArray(members.map((member) => member.firstSeenAt))}::timestamptz[],
      ${timestamptzArray(members.map((member) => member.lastSeenAt))}::timestamptz[]
    ) as n (id, channel_id, provider, user_hash, handle_hash, profile, profile_hash, follow_role, is_moderator,
      is_subscriber, team_member_level, first_seen_at, last_seen_at)
    order by channel_id, provider, user_hash
    on conflict (channel_id, provider, user_hash) do nothing
    returning id`.execute(db);
  return new Set(result.rows.map((row) => idFromUuid('member', row.id)));
}

/** Writes new profiles, and when the members were last seen. */
export async function updateMemberProfiles(
  db: Kysely<Database>,
  members: readonly MemberProfileRow[],
): Promise<void> {
  await sql`
    /* updateMemberProfiles */
    update audience_member as m set
      handle_hash = n.handle_hash, profile = n.profile, profile_hash = n.profile_hash, follow_role = n.follow_role,
      is_moderator = n.is_moderator, is_subscriber = n.is_subscriber, team_member_level = n.team_member_level,
      last_seen_at = greatest(m.last_seen_at, n.last_seen_at)
    from unnest(
      ${uuidArray(members.map((member) => uuidFromId(member.id)))}::uuid[],
      ${byteaArray(members.map((member) => member.handleHash))}::bytea[],
      ${byteaArray(members.map((member) => member.profile))}::bytea[],
      ${byteaArray(members.map((member) => member.profileHash))}::bytea[],
      ${textArray(members.map((member) => member.followRole))}::text[],
      ${boolArray(members.map((member) => member.isModerator))}::bool[],
      ${boolArray(members.map((member) => member.isSubscriber))}::bool[],
      ${int4Array(members.map((member) => member.teamMemberLevel))}::int4[],
      ${timestamptzArray(members.map((member) => member.lastSeenAt))}::timestamptz[]
    ) as n (id, handle_hash, profile, profile_hash, follow_role, is_moderator, is_subscriber, team_member_level, last_seen_at)
    where m.id = n.id`.execute(db);
}

/** Notes when members were last seen, who have nothing else to tell. */
export async function touchMembers(
  db: Kysely<Database>,
  members: readonly { readonly id: MemberId; readonly lastSeenAt: number }[],
): Promise<void> {
  await sql`
    /* touchMembers */
    update audience_member as m set last_seen_at = n.last_seen_at
    from unnest(
      ${uuidArray(members.map((member) => uuidFromId(member.id)))}::uuid[],
      ${timestamptzArray(members.map((member) => member.lastSeenAt))}::timestamptz[]
    ) as n (id, last_seen_at)
    where m.id = n.id and m.last_seen_at < n.last_seen_at`.execute(db);
}

/** Adds handles to the members' histories; a handle that is there already stays as it was first seen. */
export async function insertMemberHandles(
  db: Kysely<Database>,
  handles: readonly MemberHandleRow[],
): Promise<void> {
  await sql`
    /* insertMemberHandles */
    insert into member_handle (member_id, handle_hash, handle, first_seen_at)
    select * from unnest(
      ${uuidArray(handles.map((handle) => uuidFromId(handle.memberId)))}::uuid[],
      ${byteaArray(handles.map((handle) => handle.handleHash))}::bytea[],
      ${byteaArray(handles.map((handle) => handle.handle))}::bytea[],
      ${timestamptzArray(handles.map((handle) => handle.firstSeenAt))}::timestamptz[]
    ) as n (member_id, handle_hash, handle, first_seen_at)
    order by member_id, handle_hash
    on conflict (member_id, handle_hash) do nothing`.execute(db);
}
