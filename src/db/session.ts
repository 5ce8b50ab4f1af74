import { type Kysely, sql } from 'kysely';
import type { EventSource } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type SessionId, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** States of a session. A replay is never STALLED; only a replay is CANCELLED. */
export const SESSION_STATES = ['LIVE', 'STALLED', 'ENDED', 'FAILED', 'CANCELLED'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** One connection to a stream, or one replay. Times are milliseconds since the Unix epoch. */
export interface SessionRow {
  readonly id: SessionId;
  readonly streamId: StreamId;
  readonly channelId: ChannelId;
  readonly source: EventSource;
  readonly state: SessionState;
  readonly stateReason: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Null for a live session. */
  readonly replay: ReplayRow | null;
}

/** How far a replay is. */
export interface ReplayRow {
  readonly of: SessionId;
  /** Times real speed; null: as fast as possible. */
  readonly speed: number | null;
  /** Null until counted. */
  readonly eventsTotal: number | null;
  readonly eventsDone: number;
  readonly cancelRequested: boolean;
}

interface RawSession {
  id: string;
  stream_id: string;
  channel_id: string;
  source: EventSource;
  state: SessionState;
  state_reason: string | null;
  started_ms: number;
  ended_ms: number | null;
  replay_of: string | null;
  replay_speed: number | null;
  replay_total: number | null;
  replay_done: number;
  replay_cancel_requested: boolean;
}

// Counts of events stay far below 2^53, so float8 holds them exactly.
const columns = sql`
  id, stream_id, channel_id, source, state, state_reason, replay_of, replay_speed, replay_cancel_requested,
  replay_total::float8 as replay_total, replay_done::float8 as replay_done,
  (extract(epoch from started_at) * 1000)::float8 as started_ms,
  (extract(epoch from ended_at) * 1000)::float8 as ended_ms`;

function sessionOf(row: RawSession): SessionRow {
  return {
    id: idFromUuid('session', row.id),
    streamId: idFromUuid('stream', row.stream_id),
    channelId: idFromUuid('channel', row.channel_id),
    source: row.source,
    state: row.state,
    stateReason: row.state_reason,
    startedAt: row.started_ms,
    endedAt: row.ended_ms,
    replay:
      row.replay_of === null
        ? null
        : {
            of: idFromUuid('session', row.replay_of),
            speed: row.replay_speed,
            eventsTotal: row.replay_total,
            eventsDone: row.replay_done,
            cancelRequested: row.replay_cancel_requested,
          },
  };
}

/** The sessions with these ids, in no particular order; unknown ids are left out. */
export async function selectSessions(
  db: Kysely<Database>,
  ids: readonly SessionId[],
): Promise<readonly SessionRow[]> {
  const result = await sql<RawSession>`
    /* selectSessions */
    select ${columns} from session where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(sessionOf);
}

/** A stream's sessions, newest first, `limit` of them after the given place. */
export async function selectSessionPage(
  db: Kysely<Database>,
  page: {
    readonly streamId: StreamId;
    readonly after: { readonly at: number; readonly id: SessionId } | null;
    readonly limit: number;
  },
): Promise<readonly SessionRow[]> {
  const after =
    page.after === null
      ? sql`true`
      : sql`(started_at, id) < (to_timestamp(${page.after.at}::float8 / 1000), ${uuidFromId(page.after.id)}::uuid)`;
  const result = await sql<RawSession>`
    /* selectSessionPage */
    select ${columns} from session where stream_id = ${uuidFromId(page.streamId)} and ${after}
    order by started_at desc, id desc limit ${page.limit}
  `.execute(db);
  return result.rows.map(sessionOf);
}
