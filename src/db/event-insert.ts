import { type Kysely, sql } from 'kysely';
import type { ChannelId, MemberId, SessionId, StreamId } from '../lib/ids.ts';
import { uuidFromId } from '../lib/ids.ts';
import {
  boolArray,
  byteaArray,
  int2Array,
  int8Array,
  jsonbArray,
  timestamptzArray,
  uuidArray,
} from './binary-array.ts';
import type { Database } from './connect.ts';

/** `event.provider` as a number. */
export const PROVIDER_NUMBERS = { TIKTOK: 1, PLATFORM: 2 } as const;
/** `event.source` as a number. */
export const SOURCE_NUMBERS = { LIVE: 1, REPLAY: 2 } as const;

/** An event ready to be stored: personal data sealed, ids of the rows it belongs to. */
export interface EventInsert {
  /** 64 hexadecimal digits. */
  readonly eventId: string;
  /** Milliseconds since the Unix epoch, as `ingestedAt`. */
  readonly occurredAt: number;
  readonly ingestedAt: number;
  readonly sequence: number;
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly triggerId: number;
  readonly provider: keyof typeof PROVIDER_NUMBERS;
  readonly source: keyof typeof SOURCE_NUMBERS;
  readonly history: boolean;
  readonly memberId: MemberId | null;
  readonly coins: number | null;
  readonly streakCoins: number | null;
  /** JSON text, without personal data. */
  readonly payload: string;
  readonly personal: Buffer | null;
  readonly subjectId: MemberId | ChannelId | null;
}

/** The provider deleted this member's messages, by the event of that id. */
export interface RedactionInsert {
  readonly eventId: string;
  readonly memberId: MemberId;
}

/**
 * Stores events and counts them, in one statement: totals, minutes, gifters, the channel's sequence and redactions are
 * kept from the rows that were really inserted, so an event that is already there changes nothing. Replays are stored
 * and not counted. Returns how many were new.
 */
export async function insertEvents(
  db: Kysely<Database>,
  events: readonly EventInsert[],
  redactions: readonly RedactionInsert[],
): Promise<number> {
  const result = await sql<{ stored: number }>`
    /* insertEvents */
    with inserted as (
      insert into event (event_id, occurred_at, ingested_at, sequence, channel_id, stream_id, session_id, trigger_id,
        provider, source, history, member_id, coins, streak_coins, payload, personal, subject_id)
      select * from unnest(
        ${byteaArray(events.map((event) => Buffer.from(event.eventId, 'hex')))}::bytea[],
        ${timestamptzArray(events.map((event) => event.occurredAt))}::timestamptz[],
        ${timestamptzArray(events.map((event) => event.ingestedAt))}::timestamptz[],
        ${int8Array(events.map((event) => event.sequence))}::int8[],
        ${uuidArray(events.map((event) => uuidFromId(event.channelId)))}::uuid[],
        ${uuidArray(events.map((event) => uuidFromId(event.streamId)))}::uuid[],
        ${uuidArray(events.map((event) => uuidFromId(event.sessionId)))}::uuid[],
        ${int2Array(events.map((event) => event.triggerId))}::int2[],
        ${int2Array(events.map((event) => PROVIDER_NUMBERS[event.provider]))}::int2[],
        ${int2Array(events.map((event) => SOURCE_NUMBERS[event.source]))}::int2[],
        ${boolArray(events.map((event) => event.history))}::bool[],
        ${uuidArray(events.map((event) => uuidOrNull(event.memberId)))}::uuid[],
        ${int8Array(events.map((event) => event.coins))}::int8[],
        ${int8Array(events.map((event) => event.streakCoins))}::int8[],
        ${jsonbArray(events.map((event) => event.payload))}::jsonb[],
        ${byteaArray(events.map((event) => event.personal))}::bytea[],
        ${uuidArray(events.map((event) => uuidOrNull(event.subjectId)))}::uuid[]
      )
      on conflict do nothing
      returning event_id, occurred_at, sequence, channel_id, stream_id, trigger_id, source, member_id, coins, payload
    ),
    counted as (
      select occurred_at, sequence, channel_id, stream_id, trigger_id, member_id, coins,
        case trigger_id when 2 then (payload->>'giftCount')::int8 end as gifts,
        case trigger_id when 3 then (payload->>'likeCount')::int8 end as likes,
        case trigger_id when 3 then (payload->>'totalLikeCount')::int8 end as likes_total,
        case trigger_id when 6 then (payload->>'joinCount')::int8 end as joins,
        case trigger_id when 14 then (payload->>'viewerCount')::int8 end as viewers
      from inserted where source = 1
    ),
    totals as (
      insert into stream_total as t (stream_id, channel_id, events, chats, gifts, coins, likes_sampled, likes_max,
        follows, shares, joins, subscribes, viewers_now, viewers_at, viewers_max, last_sequence, last_event_at)
      select stream_id, channel_id, count(*), count(*) filter (where trigger_id = 1),
        coalesce(sum(gifts), 0), coalesce(sum(coins), 0), coalesce(sum(likes), 0), coalesce(max(likes_total), 0),
        count(*) filter (where trigger_id = 4), count(*) filter (where trigger_id = 5), coalesce(sum(joins), 0),
        count(*) filter (where trigger_id = 7),
        coalesce((array_agg(viewers order by occurred_at desc, sequence desc) filter (where viewers is not null))[1], 0),
        max(occurred_at) filter (where viewers is not null), coalesce(max(viewers), 0), max(sequence), max(occurred_at)
      from counted group by stream_id, channel_id order by stream_id
      on conflict (stream_id) do update set
        events = t.events + excluded.events,
        chats = t.chats + excluded.chats,
        gifts = t.gifts + excluded.gifts,
        coins = t.coins + excluded.coins,
        likes_sampled = t.likes_sampled + excluded.likes_sampled,
        likes_max = greatest(t.likes_max, excluded.likes_max),
        follows = t.follows + excluded.follows,
        shares = t.shares + excluded.shares,
        joins = t.joins + excluded.joins,
        subscribes = t.subscribes + excluded.subscribes,
        viewers_now = case when excluded.viewers_at >= coalesce(t.viewers_at, '-infinity')
          then excluded.viewers_now else t.viewers_now end,
        viewers_at = greatest(t.viewers_at, excluded.viewers_at),
        viewers_max = greatest(t.viewers_max, excluded.viewers_max),
        last_sequence = greatest(t.last_sequence, excluded.last_sequence),
        last_event_at = greatest(t.last_event_at, excluded.last_event_at)
    ),
    minutes as (
      insert into stream_minute as m (stream_id, minute, events, chats, gifts, coins, likes_sampled, follows, shares,
        joins, subscribes, viewers_max)
      select stream_id, date_trunc('minute', occurred_at) as minute, count(*), count(*) filter (where trigger_id = 1),
        coalesce(sum(gifts), 0), coalesce(sum(coins), 0), coalesce(sum(likes), 0),
        count(*) filter (where trigger_id = 4), count(*) filter (where trigger_id = 5), coalesce(sum(joins), 0),
        count(*) filter (where trigger_id = 7), coalesce(max(viewers), 0)
      from counted group by stream_id, minute order by stream_id, minute
      on conflict (stream_id, minute) do update set
        events = m.events + excluded.events,
        chats = m.chats + excluded.chats,
        gifts = m.gifts + excluded.gifts,
        coins = m.coins + excluded.coins,
        likes_sampled = m.likes_sampled + excluded.likes_sampled,
        follows = m.follows + excluded.follows,
        shares = m.shares + excluded.shares,
        joins = m.joins + excluded.joins,
        subscribes = m.subscribes + excluded.subscribes,
        viewers_max = greatest(m.viewers_max, excluded.viewers_max)
    ),
    gifters as (
      insert into stream_gifter as g (stream_id, member_id, gifts, coins, last_gift_at)
      select stream_id, member_id, sum(gifts), sum(coins), max(occurred_at)
      from counted where trigger_id = 2 and member_id is not null
      group by stream_id, member_id order by stream_id, member_id
      on conflict (stream_id, member_id) do update set
        gifts = g.gifts + excluded.gifts,
        coins = g.coins + excluded.coins,
        last_gift_at = greatest(g.last_gift_at, excluded.last_gift_at)
    ),
    sequences as (
      insert into channel_sequence as s (channel_id, last_sequence)
      select channel_id, max(sequence) from inserted group by channel_id order by channel_id
      on conflict (channel_id) do update set last_sequence = greatest(s.last_sequence, excluded.last_sequence)
    ),
    redactions as (
      insert into message_redaction as r (channel_id, member_id, redacted_before)
      select i.channel_id, d.member_id, max(i.occurred_at)
      from unnest(
        ${byteaArray(redactions.map((redaction) => Buffer.from(redaction.eventId, 'hex')))}::bytea[],
        ${uuidArray(redactions.map((redaction) => uuidFromId(redaction.memberId)))}::uuid[]
      ) as d (event_id, member_id)
      join inserted as i using (event_id)
      group by i.channel_id, d.member_id order by i.channel_id, d.member_id
      on conflict (channel_id, member_id) do update set
        redacted_before = greatest(r.redacted_before, excluded.redacted_before)
    )
    select count(*)::int4 as stored from inserted`.execute(db);
  return result.rows[0]?.stored ?? 0;
}

function uuidOrNull(id: MemberId | ChannelId | null): string | null {
  return id === null ? null : uuidFromId(id);
}
