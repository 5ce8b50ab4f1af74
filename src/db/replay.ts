import { type Kysely, sql, type Transaction } from 'kysely';
import type { EventCursor } from '../events/event-cursor.ts';
import type { Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type SessionId, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** Makes the session of a replay. Times are milliseconds since the Unix epoch. */
export async function insertReplaySession(
  tx: Transaction<Database>,
  replay: {
    readonly id: SessionId;
    readonly streamId: StreamId;
    readonly channelId: ChannelId;
    /** The session replayed; null for a fixture file. */
    readonly of: SessionId | null;
    readonly speed: number | null;
    readonly at: number;
  },
): Promise<void> {
  await sql`
    /* insertReplaySession */
    insert into session (id, stream_id, channel_id, source, state, started_at, replay_of, replay_speed)
    values (${uuidFromId(replay.id)}, ${uuidFromId(replay.streamId)}, ${uuidFromId(replay.channelId)}, 'REPLAY', 'LIVE',
      to_timestamp(${replay.at}::float8 / 1000), ${replay.of === null ? null : uuidFromId(replay.of)}, ${replay.speed})
  `.execute(tx);
}

/** The stream a fixture file is replayed into: the same file, the same stream. Returns its id. */
export async function upsertFixtureStream(
  tx: Transaction<Database>,
  stream: {
    readonly id: StreamId;
    readonly channelId: ChannelId;
    readonly provider: Provider;
    readonly externalId: string;
    readonly at: number;
  },
): Promise<StreamId> {
  const result = await sql<{ id: string }>`
    /* upsertFixtureStream */
    insert into stream (id, channel_id, provider, external_id, simulated, started_at, ended_at, end_reason)
    values (${uuidFromId(stream.id)}, ${uuidFromId(stream.channelId)}, ${stream.provider}, ${stream.externalId}, true,
      to_timestamp(${stream.at}::float8 / 1000), to_timestamp(${stream.at}::float8 / 1000), 'ENDED')
    on conflict (channel_id, provider, external_id) do update set external_id = excluded.external_id
    returning id
  `.execute(tx);
  return result.rows.map((row) => idFromUuid('stream', row.id))[0] ?? stream.id;
}

/**
 * Asks a running replay to stop. One that no worker has begun yet is cancelled on the spot. Undefined, and nothing changed,
 * when it is not running (any more).
 */
export async function requestReplayCancel(
  db: Kysely<Database>,
  cancel: { readonly sessionId: SessionId; readonly at: number },
): Promise<{ readonly channelId: ChannelId; readonly streamId: StreamId } | undefined> {
  const result = await sql<{ channel_id: string; stream_id: string }>`
    /* requestReplayCancel */
    update session set replay_cancel_requested = true,
      state = case when replay_total is null then 'CANCELLED' else state end,
      ended_at = case when replay_total is null then to_timestamp(${cancel.at}::float8 / 1000) else ended_at end
    where id = ${uuidFromId(cancel.sessionId)} and source = 'REPLAY' and state = 'LIVE'
    returning channel_id, stream_id
  `.execute(db);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  return { channelId: idFromUuid('channel', row.channel_id), streamId: idFromUuid('stream', row.stream_id) };
}

/** Replays of fixture files that have not ended: a few at most, since each belongs to a process. */
export async function selectFileReplays(
  db: Kysely<Database>,
): Promise<
  readonly { readonly id: SessionId; readonly channelId: ChannelId; readonly streamId: StreamId }[]
> {
  const result = await sql<{ id: string; channel_id: string; stream_id: string }>`
    /* selectFileReplays */
    select id, channel_id, stream_id from session
    where source = 'REPLAY' and replay_of is null and state = 'LIVE' order by id
  `.execute(db);
  return result.rows.map((row) => ({
    id: idFromUuid('session', row.id),
    channelId: idFromUuid('channel', row.channel_id),
    streamId: idFromUuid('stream', row.stream_id),
  }));
}

/** Notes how many events a replay has to do. False when it is not running (any more). */
export async function updateReplayTotal(
  db: Kysely<Database>,
  replay: { readonly sessionId: SessionId; readonly total: number },
): Promise<boolean> {
  const result = await sql`
    /* updateReplayTotal */
    update session set replay_total = ${replay.total}::bigint
    where id = ${uuidFromId(replay.sessionId)} and state = 'LIVE'
  `.execute(db);
  return result.numAffectedRows === 1n;
}

/** Notes how far a replay is. Returns whether it was asked to stop. */
export async function updateReplayProgress(
  db: Kysely<Database>,
  replay: { readonly sessionId: SessionId; readonly done: number },
): Promise<{ readonly cancelRequested: boolean }> {
  const result = await sql<{ replay_cancel_requested: boolean }>`
    /* updateReplayProgress */
    update session set replay_done = greatest(replay_done, ${replay.done}::bigint)
    where id = ${uuidFromId(replay.sessionId)} returning replay_cancel_requested
  `.execute(db);
  return { cancelRequested: result.rows[0]?.replay_cancel_requested ?? true };
}

/** Ends a running replay. One that has ended already stays as it is. */
export async function updateReplayEnded(
  db: Kysely<Database>,
  replay: {
    readonly sessionId: SessionId;
    readonly state: 'ENDED' | 'FAILED' | 'CANCELLED';
    /** A sentence for a person; null when all went well. */
    readonly reason: string | null;
    /** Null when not known: what was noted before stays. */
    readonly done: number | null;
    readonly at: number;
  },
): Promise<void> {
  await sql`
    /* updateReplayEnded */
    update session set state = ${replay.state}, state_reason = ${replay.reason},
      replay_done = greatest(replay_done, ${replay.done}::bigint), ended_at = to_timestamp(${replay.at}::float8 / 1000)
    where id = ${uuidFromId(replay.sessionId)} and source = 'REPLAY' and state = 'LIVE'
  `.execute(db);
}

/** How many events a session has stored. Walks the session's part of an index. */
export async function countSessionEvents(db: Kysely<Database>, sessionId: SessionId): Promise<number> {
  const result = await sql<{ count: number }>`
    /* countSessionEvents */
    select count(*)::float8 as count from event where ${withinSession(sessionId)}
  `.execute(db);
  return result.rows[0]?.count ?? 0;
}

/** Whether a session has stored any event. */
export async function hasSessionEvents(db: Kysely<Database>, sessionId: SessionId): Promise<boolean> {
  const result = await sql<{ found: boolean }>`
    /* hasSessionEvents */
    select first_at is not null as found from event_bounds(null, ${uuidFromId(sessionId)}, true)
  `.execute(db);
  return result.rows[0]?.found === true;
}

/** The place of a session's event number `number` (from 1); undefined when it has fewer. */
export async function selectSessionPlace(
  db: Kysely<Database>,
  place: { readonly sessionId: SessionId; readonly number: number },
): Promise<EventCursor | undefined> {
  const result = await sql<{ occurred_ms: number; sequence: number }>`
    /* selectSessionPlace */
    select (extract(epoch from occurred_at) * 1000)::float8 as occurred_ms, sequence::float8 as sequence
    from event where ${withinSession(place.sessionId)}
    order by occurred_at, sequence offset ${place.number - 1}::bigint limit 1
  `.execute(db);
  return result.rows.map((row) => ({ occurredAt: row.occurred_ms, sequence: row.sequence }))[0];
}

/** The bounds spare the partitions that hold nothing of the session. */
function withinSession(sessionId: SessionId) {
  const id = uuidFromId(sessionId);
  return sql`session_id = ${id}
    and occurred_at >= (select first_at from event_bounds(null, ${id}, true))
    and occurred_at <= (select last_at from event_bounds(null, ${id}, true))`;
}
