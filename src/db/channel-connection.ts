import { type Kysely, sql } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import type { ConnectionState } from '../ingest/supervisor/connection-state.ts';
import { type ChannelId, idFromUuid, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A channel somebody wants connected. */
export interface WantedChannel {
  readonly id: ChannelId;
  readonly provider: Provider;
  readonly handle: string;
  /** The channel's own sign key, sealed; null: it uses the installation's. */
  readonly signKey: Buffer | null;
}

/** Every channel that is wanted, oldest first, at most `limit`. */
export async function selectWantedChannels(
  db: Kysely<Database>,
  options: { readonly provider: Provider; readonly limit: number },
): Promise<readonly WantedChannel[]> {
  const result = await sql<{ id: string; provider: Provider; handle: string; sign_key: Buffer | null }>`
    /* selectWantedChannels */
    select id, provider, handle, sign_key from channel
    where wanted and provider = ${options.provider} order by id limit ${options.limit}
  `.execute(db);
  return result.rows.map((row) => ({
    id: idFromUuid('channel', row.id),
    provider: row.provider,
    handle: row.handle,
    signKey: row.sign_key,
  }));
}

/** Where a channel's connection stands, as its worker writes it. Times are milliseconds since the epoch. */
export interface ConnectionWrite {
  readonly channelId: ChannelId;
  readonly state: ConnectionState;
  readonly reason: string | null;
  readonly since: number;
  readonly retryAt: number | null;
  readonly attempt: number;
  /** Of the writer's lease. */
  readonly epoch: number;
  readonly updatedAt: number;
}

/**
 * Writes the row in the name of a lease just taken, whatever epoch it had: a bus that lost its memory counts epochs from
 * the beginning again. From then on only writes of this epoch count.
 */
export async function claimConnection(db: Kysely<Database>, row: ConnectionWrite): Promise<void> {
  await sql`
    /* claimConnection */
    insert into channel_connection (channel_id, state, reason, since, retry_at, attempt, epoch, updated_at)
    values (${uuidFromId(row.channelId)}, ${row.state}, ${row.reason}, ${timestamp(row.since)},
      ${timestamp(row.retryAt)}, ${row.attempt}, ${row.epoch}, ${timestamp(row.updatedAt)})
    on conflict (channel_id) do update set
      state = excluded.state, reason = excluded.reason, since = excluded.since, retry_at = excluded.retry_at,
      attempt = excluded.attempt, epoch = excluded.epoch, updated_at = excluded.updated_at
  `.execute(db);
}

/** Writes the row if it is still this epoch's. False when another worker has claimed it since. */
export async function updateConnection(db: Kysely<Database>, row: ConnectionWrite): Promise<boolean> {
  const result = await sql`
    /* updateConnection */
    update channel_connection set
      state = ${row.state}, reason = ${row.reason}, since = ${timestamp(row.since)},
      retry_at = ${timestamp(row.retryAt)}, attempt = ${row.attempt}, updated_at = ${timestamp(row.updatedAt)}
    where channel_id = ${uuidFromId(row.channelId)} and epoch = ${row.epoch}
  `.execute(db);
  return result.numAffectedRows === 1n;
}

function timestamp(ms: number | null) {
  return sql`to_timestamp(${ms}::float8 / 1000)`;
}
