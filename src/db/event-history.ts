import { type Kysely, sql } from 'kysely';
import type { EventCursor } from '../events/event-cursor.ts';
import { type EventSource, type FollowRole, type Provider, TRIGGER_IDS } from '../events/unified-event.ts';
import {
  type ChannelId,
  idFromUuid,
  type MemberId,
  type SessionId,
  type StreamId,
  uuidFromId,
} from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** From how many coins on the index of large gifts knows a gift. @see migrations/0002_event_pages.sql */
const INDEXED_COINS_MIN = 100;

/** A page of stored events. Null: no such filter. Times are milliseconds since the Unix epoch. */
export interface EventPageQuery {
  readonly channelId: ChannelId;
  readonly streamId: StreamId | null;
  readonly sessionId: SessionId | null;
  readonly memberId: MemberId | null;
  readonly triggerIds: readonly number[] | null;
  /** Leaves out gifts whose streak has come to less; concerns nothing but gifts. */
  readonly coinsMin: number | null;
  /** Occurred at or after. */
  readonly from: number | null;
  /** Occurred before. */
  readonly to: number | null;
  /** The last row of the page before. */
  readonly after: EventCursor | null;
  readonly replays: boolean;
  readonly order: 'ASC' | 'DESC';
  readonly rowsMax: number;
  /** Whether the sealed part of the payload is wanted. */
  readonly personal: boolean;
}

/** A stored event as it lies in the database: names and texts still sealed. */
export interface EventRow extends EventCursor {
  readonly eventId: string;
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly triggerId: number;
  readonly provider: Provider;
  readonly source: EventSource;
  readonly history: boolean;
  readonly memberId: MemberId | null;
  readonly ingestedAt: number;
  /** The public part of the payload. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** The sealed part; null when there is none or it was not asked for. */
  readonly personal: Buffer | null;
  /** Whether there is a sealed part, asked for or not. */
  readonly hasPersonal: boolean;
  /** Whose key sealed it. */
  readonly subjectId: MemberId | ChannelId | null;
  /** The provider deleted this member's messages after this one was written. */
  readonly redacted: boolean;
}

interface RawEvent {
  event_id: Buffer;
  occurred_ms: number;
  sequence: number;
  channel_id: string;
  stream_id: string;
  session_id: string;
  trigger_id: number;
  provider: number;
  source: number;
  history: boolean;
  member_id: string | null;
  ingested_ms: number;
  payload: Readonly<Record<string, unknown>>;
  personal: Buffer | null;
  has_personal: boolean;
  subject_id: string | null;
  redacted: boolean;
}

/**
 * A page of stored events, by (occurred_at, sequence). As a rule one index is walked per page and, for several types, one
 * part of it per type; the functions of migration 0002 hold the plans.
 */
export async function selectEventPage(
  db: Kysely<Database>,
  query: EventPageQuery,
): Promise<readonly EventRow[]> {
  const direction = sql.raw(query.order);
  const pages = chooseWalks(query).map((walk) => sql`select * from ${pageFunction(query, walk)}`);
  const result = await sql<RawEvent>`
    /* selectEventPage */
    select e.event_id, e.channel_id, e.stream_id, e.session_id, e.trigger_id, e.provider, e.source, e.history,
      e.member_id, e.payload, e.subject_id, e.sequence::float8 as sequence,
      (extract(epoch from e.occurred_at) * 1000)::float8 as occurred_ms,
      (extract(epoch from e.ingested_at) * 1000)::float8 as ingested_ms,
      ${query.personal ? sql`e.personal` : sql`null::bytea`} as personal, e.personal is not null as has_personal,
      coalesce(e.occurred_at <= r.redacted_before and e.trigger_id = any(${TEXT_TRIGGER_IDS}::smallint[]), false) as redacted
    from (${sql.join(pages, sql` union all `)}) as e
    left join message_redaction as r on r.channel_id = e.channel_id and r.member_id = e.member_id
    order by e.occurred_at ${direction}, e.sequence ${direction} limit ${query.rowsMax}
  `.execute(db);
  return result.rows.map(eventOf);
}

const GIFT: number = TRIGGER_IDS.GIFT;
/** Types whose words a deletion by the provider takes back. */
const TEXT_TRIGGER_IDS: readonly number[] = [TRIGGER_IDS.CHAT, TRIGGER_IDS.QUESTION];

/** An index to walk, and for which types. */
interface Walk {
  readonly index: 'channel' | 'type' | 'session' | 'member' | 'coins';
  readonly triggerIds: readonly number[] | null;
}

/** The indexes that read least for these filters; any would be right. Two when small gifts are to be left out of a mixture. */
function chooseWalks(query: EventPageQuery): readonly Walk[] {
  const { triggerIds, coinsMin } = query;
  if (query.memberId !== null) return [{ index: 'member', triggerIds }];
  if (coinsMin !== null && coinsMin >= INDEXED_COINS_MIN && (triggerIds?.includes(GIFT) ?? true)) {
    const others = (triggerIds ?? Object.values(TRIGGER_IDS)).filter((id) => id !== GIFT);
    const gifts: Walk = { index: 'coins', triggerIds: null };
    return others.length === 0 ? [gifts] : [gifts, { index: 'type', triggerIds: others }];
  }
  if (triggerIds !== null) return [{ index: 'type', triggerIds }];
  return [{ index: query.sessionId === null ? 'channel' : 'session', triggerIds }];
}

/** A call of the function that walks this index. @see migrations/0002_event_pages.sql */
function pageFunction(query: EventPageQuery, walk: Walk) {
  const name = sql.raw(`event_page_by_${walk.index}_${query.order.toLowerCase()}`);
  return sql`${name}(
    ${uuidFromId(query.channelId)}, ${uuidOrNull(query.streamId)}, ${uuidOrNull(query.sessionId)},
    ${uuidOrNull(query.memberId)}, ${walk.triggerIds}::smallint[], ${query.coinsMin}::bigint,
    coalesce(${timeOrNull(query.from)}, '-infinity'), coalesce(${timeOrNull(query.to)}, 'infinity'),
    ${timeOrNull(query.after?.occurredAt ?? null)}, ${query.after?.sequence ?? null}::bigint,
    ${query.replays}, ${query.rowsMax})`;
}

function uuidOrNull(id: StreamId | SessionId | MemberId | null) {
  return sql`${id === null ? null : uuidFromId(id)}::uuid`;
}

function timeOrNull(ms: number | null) {
  return sql`to_timestamp(${ms}::float8 / 1000)`;
}

function eventOf(row: RawEvent): EventRow {
  const memberId = row.member_id === null ? null : idFromUuid('member', row.member_id);
  return {
    eventId: row.event_id.toString('hex'),
    occurredAt: row.occurred_ms,
    sequence: row.sequence,
    channelId: idFromUuid('channel', row.channel_id),
    streamId: idFromUuid('stream', row.stream_id),
    sessionId: idFromUuid('session', row.session_id),
    triggerId: row.trigger_id,
    provider: row.provider === 1 ? 'TIKTOK' : 'PLATFORM',
    source: row.source === 1 ? 'LIVE' : 'REPLAY',
    history: row.history,
    memberId,
    ingestedAt: row.ingested_ms,
    payload: row.payload,
    personal: row.personal,
    hasPersonal: row.has_personal,
    subjectId: subjectOf(row),
    redacted: row.redacted,
  };
}

function subjectOf(row: RawEvent): MemberId | ChannelId | null {
  if (row.subject_id === null) return null;
  return row.subject_id === row.channel_id
    ? idFromUuid('channel', row.subject_id)
    : idFromUuid('member', row.subject_id);
}

/** A member as they lie in the database: the profile still sealed. */
export interface MemberRow {
  readonly id: MemberId;
  readonly profile: Buffer;
  readonly followRole: FollowRole;
  readonly isModerator: boolean;
  readonly isSubscriber: boolean;
  readonly teamMemberLevel: number;
}

/** The members with these ids, by id; erased and unknown ones are left out. */
export async function selectMembers(
  db: Kysely<Database>,
  ids: readonly MemberId[],
): Promise<ReadonlyMap<MemberId, MemberRow>> {
  if (ids.length === 0) return new Map();
  const result = await sql<{
    id: string;
    profile: Buffer;
    follow_role: FollowRole;
    is_moderator: boolean;
    is_subscriber: boolean;
    team_member_level: number;
  }>`
    /* selectMembers */
    select id, profile, follow_role, is_moderator, is_subscriber, team_member_level
    from audience_member where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return new Map(
    result.rows.map((row) => {
      const id = idFromUuid('member', row.id);
      return [
        id,
        {
          id,
          profile: row.profile,
          followRole: row.follow_role,
          isModerator: row.is_moderator,
          isSubscriber: row.is_subscriber,
          teamMemberLevel: row.team_member_level,
        },
      ];
    }),
  );
}
