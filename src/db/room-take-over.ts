import { type Kysely, sql, type Transaction } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, newId, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';
import { upsertGap } from './ingest-session.ts';

/** A worker that has just got a room's lease. Times are milliseconds since the epoch. */
export interface RoomTakeOver {
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** When the bus saw the last message of a stream of the channel; null when it does not remember. */
  readonly lastSeen: { readonly streamId: StreamId; readonly at: number } | null;
  readonly takenAt: number;
}

/**
 * Puts in order what a worker left that was killed: its sessions ended as FAILED with the last event known of their stream,
 * and from there on a gap is open in every stream that has not ended. After a clean stop there is nothing to do. In one
 * transaction; doing it again changes nothing.
 */
export function takeOverRoom(db: Kysely<Database>, takeOver: RoomTakeOver): Promise<void> {
  return db.transaction().execute(async (tx) => {
    await failAbandonedSessions(tx, takeOver);
    await widenOpenGaps(tx, takeOver);
    for (const { streamId, lastKnownAt } of await selectUnwatchedStreams(tx, takeOver)) {
      const id = newId('gap', takeOver.takenAt);
      const { channelId } = takeOver;
      await upsertGap(tx, { id, streamId, channelId, from: lastKnownAt, to: null, reason: 'RESTART' });
    }
  });
}

/** Channels that nobody wants connected and that have a live session open all the same, at most `limit`. */
export async function selectAbandonedChannels(
  db: Kysely<Database>,
  query: { readonly provider: Provider; readonly limit: number },
): Promise<readonly ChannelId[]> {
  const result = await sql<{ id: string }>`
    /* selectAbandonedChannels */
    select id from channel where provider = ${query.provider} and not wanted
      and exists (select from session where channel_id = channel.id and source = 'LIVE' and ended_at is null)
    order by id limit ${query.limit}
  `.execute(db);
  return result.rows.map((row) => idFromUuid('channel', row.id));
}

async function failAbandonedSessions(tx: Transaction<Database>, takeOver: RoomTakeOver): Promise<void> {
  await sql`
    /* failAbandonedSessions */
    update session set state = 'FAILED', state_reason = 'The worker was lost.',
      ended_at = greatest(session.started_at, ${lastKnownAt(takeOver)})
    from stream left join stream_total as total on total.stream_id = stream.id
    where stream.id = session.stream_id and session.channel_id = ${uuidFromId(takeOver.channelId)}
      and session.source = 'LIVE' and session.ended_at is null
  `.execute(tx);
}

/** Streams that have not ended and have no gap open: somebody was watching them until he was killed. */
async function selectUnwatchedStreams(
  tx: Transaction<Database>,
  takeOver: RoomTakeOver,
): Promise<readonly { readonly streamId: StreamId; readonly lastKnownAt: number }[]> {
  const result = await sql<{ id: string; last_known_ms: number }>`
    /* selectUnwatchedStreams */
    select stream.id, (extract(epoch from ${lastKnownAt(takeOver)}) * 1000)::float8 as last_known_ms
    from stream left join stream_total as total on total.stream_id = stream.id
    where stream.channel_id = ${uuidFromId(takeOver.channelId)} and stream.provider = ${takeOver.provider}
      and stream.ended_at is null
      and not exists (select from stream_gap where stream_id = stream.id and to_at is null)
  `.execute(tx);
  return result.rows.map((row) => ({
    streamId: idFromUuid('stream', row.id),
    lastKnownAt: row.last_known_ms,
  }));
}

/**
 * A worker that stopped cleanly left a gap open, from the last thing it heard on. When the bus died with it before everything was
 * stored (kill -9 in the middle of a stop), more is missing: then the gap begins where the stored events end.
 */
async function widenOpenGaps(tx: Transaction<Database>, takeOver: RoomTakeOver): Promise<void> {
  await sql`
    /* widenOpenGaps */
    update stream_gap set from_at = ${lastKnownAt(takeOver)}
    from stream left join stream_total as total on total.stream_id = stream.id
    where stream_gap.stream_id = stream.id and stream_gap.to_at is null and stream.ended_at is null
      and stream.channel_id = ${uuidFromId(takeOver.channelId)} and stream.provider = ${takeOver.provider}
      and stream_gap.from_at > ${lastKnownAt(takeOver)}
  `.execute(tx);
}

/** When something was last known of `stream`, by the bus or by what is stored. A provider's clock may be ahead. */
function lastKnownAt({ lastSeen, takenAt }: RoomTakeOver) {
  const seen =
    lastSeen === null
      ? sql`null::timestamptz`
      : sql`case when stream.id = ${uuidFromId(lastSeen.streamId)}::uuid then ${timestamp(lastSeen.at)} end`;
  return sql`least(coalesce(greatest(${seen}, total.last_event_at), stream.started_at), ${timestamp(takenAt)})`;
}

function timestamp(ms: number) {
  return sql`to_timestamp(${ms}::float8 / 1000)`;
}
