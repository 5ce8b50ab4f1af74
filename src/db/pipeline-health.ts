import { type Kysely, sql } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import type { ConnectionState } from '../ingest/supervisor/connection-state.ts';
import { type ChannelId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What the database knows about a channel's way from the room to the stored event. Times are milliseconds since the epoch. */
export interface PipelineFacts {
  /** As in `15.8`. */
  readonly serverVersion: string;
  /** Null when there is no such channel. */
  readonly channel: PipelineChannel | null;
  /** Until when the sign service refuses the key that it refuses longest; null when it refuses none. */
  readonly signBlockedUntil: number | null;
}

export interface PipelineChannel {
  readonly handle: string;
  readonly provider: Provider;
  readonly wanted: boolean;
  /** Null when no worker has looked at the channel yet. */
  readonly connection: {
    readonly state: ConnectionState;
    readonly reason: string | null;
    readonly since: number;
    readonly retryAt: number | null;
  } | null;
  /** When the newest stored live event happened. */
  readonly lastEventAt: number | null;
  /** The highest stored sequence, 0 when nothing is stored. */
  readonly storedSequence: number;
  /** Whether the newest stream came from the simulator. */
  readonly simulated: boolean;
}

interface FactsRow {
  server_version: string;
  sign_blocked_ms: number | null;
  handle: string | null;
  provider: Provider;
  wanted: boolean;
  state: ConnectionState | null;
  reason: string | null;
  since_ms: number;
  retry_ms: number | null;
  last_event_ms: number | null;
  stored_sequence: bigint | null;
  simulated: boolean | null;
}

/** All of it in one round trip. */
export async function selectPipelineFacts(
  db: Kysely<Database>,
  query: { readonly channelId: ChannelId; readonly nowMs: number },
): Promise<PipelineFacts> {
  const result = await sql<FactsRow>`
    /* selectPipelineFacts */
    select
      split_part(current_setting('server_version'), ' ', 1) as server_version,
      (select extract(epoch from max(blocked_until)) * 1000 from sign_budget
        where blocked_until > ${new Date(query.nowMs)})::float8 as sign_blocked_ms,
      channel.handle, channel.provider, channel.wanted,
      connection.state, connection.reason,
      (extract(epoch from connection.since) * 1000)::float8 as since_ms,
      (extract(epoch from connection.retry_at) * 1000)::float8 as retry_ms,
      (extract(epoch from newest.last_event_at) * 1000)::float8 as last_event_ms,
      stored.last_sequence as stored_sequence,
      newest.simulated
    from (select ${uuidFromId(query.channelId)}::uuid as id) as asked
    left join channel on channel.id = asked.id
    left join channel_connection as connection on connection.channel_id = channel.id
    left join channel_sequence as stored on stored.channel_id = channel.id
    left join lateral (
      select stream.simulated, total.last_event_at
      from stream left join stream_total as total on total.stream_id = stream.id
      where stream.channel_id = channel.id
      order by stream.started_at desc, stream.id desc limit 1
    ) as newest on true
  `.execute(db);
  const row = result.rows[0];
  if (row === undefined) throw new Error('a query over one asked row returns it');
  return {
    serverVersion: row.server_version,
    channel: row.handle === null ? null : channelOf({ ...row, handle: row.handle }),
    signBlockedUntil: row.sign_blocked_ms,
  };
}

function channelOf(row: FactsRow & { handle: string }): PipelineChannel {
  return {
    handle: row.handle,
    provider: row.provider,
    wanted: row.wanted,
    connection:
      row.state === null
        ? null
        : { state: row.state, reason: row.reason, since: row.since_ms, retryAt: row.retry_ms },
    lastEventAt: row.last_event_ms,
    storedSequence: Number(row.stored_sequence ?? 0),
    simulated: row.simulated ?? false,
  };
}
