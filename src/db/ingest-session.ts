import { type Kysely, sql, type Transaction } from 'kysely';
import type { EventPayloads, Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type SessionId, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';
import type { SessionState } from './session.ts';
import type { GapReason, GapRow } from './stream-gap.ts';

/** A room as the source found it. */
export interface FoundStream {
  /** Used when the room is new here. */
  readonly id: StreamId;
  readonly channelId: ChannelId;
  readonly provider: Provider;
  readonly externalId: string;
  readonly title: string | null;
  readonly simulated: boolean;
  /** Milliseconds since the epoch. */
  readonly joinedAt: number;
}

/** What is stored of a stream that a worker joins. Times are milliseconds since the epoch. */
export interface JoinedStream {
  readonly id: StreamId;
  readonly likesMax: number;
  readonly lastEventAt: number | null;
  readonly openGap: Pick<GapRow, 'id' | 'from' | 'reason'> | null;
}

/**
 * Makes the room's stream the channel's current one: creates it or takes it up again, and ends the channel's earlier
 * streams, whose end nobody saw. In one transaction.
 */
export function joinStream(db: Kysely<Database>, found: FoundStream): Promise<JoinedStream> {
  return db.transaction().execute(async (tx) => {
    const id = await upsertStream(tx, found);
    const { channelId, provider, joinedAt } = found;
    await endUnseenStreams(tx, { channelId, provider, except: id, reason: 'OFFLINE', learnedAt: joinedAt });
    return selectJoined(tx, id);
  });
}

async function upsertStream(tx: Transaction<Database>, found: FoundStream): Promise<StreamId> {
  const result = await sql<{ id: string }>`
    /* upsertStream */
    insert into stream as s (id, channel_id, provider, external_id, title, simulated, started_at)
    values (${uuidFromId(found.id)}, ${uuidFromId(found.channelId)}, ${found.provider}, ${found.externalId},
      ${found.title}, ${found.simulated}, ${timestamp(found.joinedAt)})
    on conflict (channel_id, provider, external_id) do update set
      title = coalesce(excluded.title, s.title), simulated = s.simulated or excluded.simulated,
      ended_at = null, end_reason = null
    returning s.id
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) throw new Error('an upsert returns its row');
  return idFromUuid('stream', row.id);
}

async function selectJoined(tx: Transaction<Database>, id: StreamId): Promise<JoinedStream> {
  const result = await sql<{
    likes_max: number | null;
    last_event_ms: number | null;
    gap_id: string | null;
    gap_reason: GapReason | null;
    gap_from_ms: number | null;
  }>`
    /* selectJoinedStream */
    select total.likes_max::float8 as likes_max, gap.id as gap_id, gap.reason as gap_reason,
      (extract(epoch from total.last_event_at) * 1000)::float8 as last_event_ms,
      (extract(epoch from gap.from_at) * 1000)::float8 as gap_from_ms
    from (values (${uuidFromId(id)}::uuid)) as wanted (id)
    left join stream_total as total on total.stream_id = wanted.id
    left join stream_gap as gap on gap.stream_id = wanted.id and gap.to_at is null
  `.execute(tx);
  const row = result.rows[0];
  const openGap =
    row?.gap_id == null || row.gap_from_ms === null || row.gap_reason === null
      ? null
      : { id: idFromUuid('gap', row.gap_id), from: row.gap_from_ms, reason: row.gap_reason };
  return { id, likesMax: row?.likes_max ?? 0, lastEventAt: row?.last_event_ms ?? null, openGap };
}

/** A live session as its worker writes it. Times are milliseconds since the epoch. */
export interface SessionWrite {
  readonly id: SessionId;
  readonly streamId: StreamId;
  readonly channelId: ChannelId;
  readonly state: SessionState;
  readonly reason: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
}

/** Writes a live session's row as it now is. One that has ended stays as it is: a write of a worker that lost the room may come late. */
export async function upsertSession(db: Kysely<Database>, session: SessionWrite): Promise<void> {
  await sql`
    /* upsertSession */
    insert into session (id, stream_id, channel_id, source, state, state_reason, started_at, ended_at)
    values (${uuidFromId(session.id)}, ${uuidFromId(session.streamId)}, ${uuidFromId(session.channelId)}, 'LIVE',
      ${session.state}, ${session.reason}, ${timestamp(session.startedAt)}, ${timestamp(session.endedAt)})
    on conflict (id) do update set
      state = excluded.state, state_reason = excluded.state_reason, ended_at = excluded.ended_at
    where session.ended_at is null
  `.execute(db);
}

/** Writes a gap as it now is. A gap that another worker left open in the stream ends where this one begins. */
export async function upsertGap(db: Kysely<Database>, gap: GapRow): Promise<void> {
  await within(db, async (tx) => {
    await sql`
      /* closeOtherGaps */
      update stream_gap set to_at = greatest(from_at, ${timestamp(gap.from)})
      where stream_id = ${uuidFromId(gap.streamId)} and to_at is null and id <> ${uuidFromId(gap.id)}
    `.execute(tx);
    await sql`
      /* upsertGap */
      insert into stream_gap (id, stream_id, channel_id, from_at, to_at, reason)
      values (${uuidFromId(gap.id)}, ${uuidFromId(gap.streamId)}, ${uuidFromId(gap.channelId)},
        ${timestamp(gap.from)}, ${timestamp(gap.to)}, ${gap.reason})
      on conflict (id) do update set from_at = excluded.from_at, to_at = excluded.to_at
    `.execute(tx);
  });
}

/** The end of a stream. */
export interface StreamEndWrite {
  readonly streamId: StreamId;
  readonly reason: EventPayloads['STREAM_END']['reason'] | 'OFFLINE';
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
}

/** What became known of a channel's streams that nobody was watching. */
export interface UnseenStreamEnds {
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** The stream the channel is in now; null when it is in none. */
  readonly except: StreamId | null;
  readonly reason: StreamEndWrite['reason'];
  /** Milliseconds since the epoch. */
  readonly learnedAt: number;
}

/**
 * Ends the channel's streams that have not ended, with what was last known of each. Their open gaps reach until now: for
 * so long there may have been more.
 */
export async function endUnseenStreams(db: Kysely<Database>, ends: UnseenStreamEnds): Promise<void> {
  const except = ends.except === null ? sql`true` : sql`id <> ${uuidFromId(ends.except)}`;
  await sql`
    /* endUnseenStreams */
    with unseen as (
      update stream set end_reason = ${ends.reason}, ended_at = greatest(started_at, coalesce(
        (select from_at from stream_gap where stream_id = stream.id and to_at is null),
        (select last_event_at from stream_total where stream_id = stream.id), ${timestamp(ends.learnedAt)}))
      where channel_id = ${uuidFromId(ends.channelId)} and provider = ${ends.provider} and ended_at is null and ${except}
      returning id
    )
    update stream_gap set to_at = greatest(from_at, ${timestamp(ends.learnedAt)})
    where to_at is null and stream_id in (select id from unseen)
  `.execute(db);
}

/** Ends a stream, and with it its open gap. */
export async function endStream(db: Kysely<Database>, end: StreamEndWrite): Promise<void> {
  await sql`
    /* endStream */
    with gap as (
      update stream_gap set to_at = greatest(from_at, ${timestamp(end.endedAt)})
      where stream_id = ${uuidFromId(end.streamId)} and to_at is null
    )
    update stream set ended_at = greatest(started_at, ${timestamp(end.endedAt)}), end_reason = ${end.reason}
    where id = ${uuidFromId(end.streamId)}
  `.execute(db);
}

/** A transaction of its own, or the one we are in. */
function within(
  db: Kysely<Database> | Transaction<Database>,
  work: (tx: Transaction<Database>) => Promise<void>,
): Promise<void> {
  return db.isTransaction ? work(db as Transaction<Database>) : db.transaction().execute(work); // it says it is one
}

function timestamp(ms: number | null) {
  return sql`to_timestamp(${ms}::float8 / 1000)`;
}
