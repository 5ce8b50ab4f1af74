import { type Kysely, sql } from 'kysely';
import { idFromUuid, type MemberId, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What a stream has come to. Times are milliseconds since the Unix epoch; replays do not count. */
export interface StreamTotalRow {
  readonly streamId: StreamId;
  readonly events: number;
  readonly chats: number;
  readonly gifts: number;
  readonly coins: number;
  /** Likes as messages told them: a sample. */
  readonly likesSampled: number;
  /** The provider's own total, the highest seen. */
  readonly likesMax: number;
  readonly follows: number;
  readonly shares: number;
  readonly joins: number;
  readonly subscribes: number;
  readonly viewersNow: number;
  readonly viewersMax: number;
  readonly lastSequence: number;
  readonly lastEventAt: number | null;
}

/** The same for one minute. */
export interface StreamMinuteRow {
  /** The minute's first millisecond. */
  readonly minute: number;
  readonly events: number;
  readonly chats: number;
  readonly gifts: number;
  readonly coins: number;
  readonly likesSampled: number;
  readonly follows: number;
  readonly shares: number;
  readonly joins: number;
  readonly subscribes: number;
  readonly viewersMax: number;
}

/** What one member gave during a stream. */
export interface StreamGifterRow {
  readonly memberId: MemberId;
  readonly gifts: number;
  readonly coins: number;
  readonly lastGiftAt: number;
}

/** A gifter's place in the ranking: most coins first, then by member. */
export interface GifterPlace {
  readonly coins: number;
  readonly memberId: MemberId;
}

// All counts stay far below 2^53, so float8 holds them exactly.
const counts = sql`
  events::float8 as events, chats::float8 as chats, gifts::float8 as gifts, coins::float8 as coins,
  likes_sampled::float8 as "likesSampled", follows::float8 as follows, shares::float8 as shares,
  joins::float8 as joins, subscribes::float8 as subscribes, viewers_max::float8 as "viewersMax"`;

/** The totals of these streams, in no particular order; a stream without a stored event is left out. */
export async function selectStreamTotals(
  db: Kysely<Database>,
  streamIds: readonly StreamId[],
): Promise<readonly StreamTotalRow[]> {
  const result = await sql<Omit<StreamTotalRow, 'streamId'> & { stream_id: string }>`
    /* selectStreamTotals */
    select stream_id, ${counts}, likes_max::float8 as "likesMax", viewers_now::float8 as "viewersNow",
      last_sequence::float8 as "lastSequence", (extract(epoch from last_event_at) * 1000)::float8 as "lastEventAt"
    from stream_total where stream_id = any(${streamIds.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(({ stream_id, ...row }) => ({ ...row, streamId: idFromUuid('stream', stream_id) }));
}

/** The minutes of a stream in which something happened, from `from` on and before `to`, oldest first. */
export async function selectStreamMinutes(
  db: Kysely<Database>,
  query: {
    readonly streamId: StreamId;
    readonly from: number;
    readonly to: number;
    readonly rowsMax: number;
  },
): Promise<readonly StreamMinuteRow[]> {
  const result = await sql<StreamMinuteRow>`
    /* selectStreamMinutes */
    select (extract(epoch from minute) * 1000)::float8 as minute, ${counts}
    from stream_minute
    where stream_id = ${uuidFromId(query.streamId)}
      and minute >= to_timestamp(${query.from}::float8 / 1000) and minute < to_timestamp(${query.to}::float8 / 1000)
    order by stream_minute.minute limit ${query.rowsMax}
  `.execute(db);
  return [...result.rows];
}

/** The gifters of a stream, most coins first, from the place after `after` on. */
export async function selectStreamGifters(
  db: Kysely<Database>,
  query: { readonly streamId: StreamId; readonly after: GifterPlace | null; readonly rowsMax: number },
): Promise<readonly StreamGifterRow[]> {
  const { after } = query;
  // The first half alone is what the index can start from; the second drops the rest of the tie.
  const beyond =
    after === null
      ? sql`true`
      : sql`coins <= ${after.coins}::bigint
          and (coins < ${after.coins}::bigint or member_id > ${uuidFromId(after.memberId)}::uuid)`;
  const result = await sql<Omit<StreamGifterRow, 'memberId'> & { member_id: string }>`
    /* selectStreamGifters */
    select member_id, gifts::float8 as gifts, coins::float8 as coins,
      (extract(epoch from last_gift_at) * 1000)::float8 as "lastGiftAt"
    from stream_gifter where stream_id = ${uuidFromId(query.streamId)} and ${beyond}
    order by stream_gifter.coins desc, stream_gifter.member_id limit ${query.rowsMax}
  `.execute(db);
  return result.rows.map(({ member_id, ...row }) => ({ ...row, memberId: idFromUuid('member', member_id) }));
}
