import { type Kysely, sql, type Transaction } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import type { ConnectionState } from '../ingest/supervisor/connection-state.ts';
import { type ChannelId, idFromUuid, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A channel with where its connection stands. Times are milliseconds since the Unix epoch. */
export interface ChannelRow {
  readonly id: ChannelId;
  readonly provider: Provider;
  /** Lower case, without `@`. */
  readonly handle: string;
  readonly wanted: boolean;
  readonly overlayKeyVersion: number;
  readonly createdAt: number;
  readonly connection: ConnectionRow;
}

/** Where a channel's connection stands; a channel no worker has looked at yet is STOPPED since it was made. */
export interface ConnectionRow {
  readonly state: ConnectionState;
  readonly reason: string | null;
  readonly since: number;
  readonly retryAt: number | null;
  readonly attempt: number;
}

interface RawChannel {
  id: string;
  provider: Provider;
  handle: string;
  wanted: boolean;
  overlay_key_version: number;
  created_ms: number;
  state: ConnectionState | null;
  reason: string | null;
  since_ms: number | null;
  retry_ms: number | null;
  attempt: number | null;
}

const columns = sql`
  channel.id, channel.provider, channel.handle, channel.wanted, channel.overlay_key_version,
  (extract(epoch from channel.created_at) * 1000)::float8 as created_ms,
  connection.state, connection.reason, connection.attempt,
  (extract(epoch from connection.since) * 1000)::float8 as since_ms,
  (extract(epoch from connection.retry_at) * 1000)::float8 as retry_ms`;
const joined = sql`channel left join channel_connection as connection on connection.channel_id = channel.id`;

function channelOf(row: RawChannel): ChannelRow {
  const createdAt = Math.floor(row.created_ms);
  return {
    id: idFromUuid('channel', row.id),
    provider: row.provider,
    handle: row.handle,
    wanted: row.wanted,
    overlayKeyVersion: row.overlay_key_version,
    createdAt,
    connection: {
      state: row.state ?? 'STOPPED',
      reason: row.reason,
      since: Math.floor(row.since_ms ?? createdAt),
      retryAt: row.retry_ms === null ? null : Math.floor(row.retry_ms),
      attempt: row.attempt ?? 0,
    },
  };
}

/** The channels with these ids, in no particular order; unknown ids are left out. */
export async function selectChannels(
  db: Kysely<Database>,
  ids: readonly ChannelId[],
): Promise<readonly ChannelRow[]> {
  const result = await sql<RawChannel>`
    /* selectChannels */
    select ${columns} from ${joined} where channel.id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(channelOf);
}

/** Channels in the order they were made, `limit` of them after `afterId`. */
export async function selectChannelPage(
  db: Kysely<Database>,
  page: {
    readonly afterId: ChannelId | null;
    readonly limit: number;
    readonly only: readonly ChannelId[] | null;
  },
): Promise<readonly ChannelRow[]> {
  const after = page.afterId === null ? sql`true` : sql`channel.id > ${uuidFromId(page.afterId)}::uuid`;
  const among = page.only === null ? sql`true` : sql`channel.id = any(${page.only.map(uuidFromId)}::uuid[])`;
  const result = await sql<RawChannel>`
    /* selectChannelPage */
    select ${columns} from ${joined} where ${after} and ${among} order by channel.id limit ${page.limit}
  `.execute(db);
  return result.rows.map(channelOf);
}

/** The channel of this handle, or undefined. `handle` is lower case. */
export async function selectChannelByHandle(
  db: Kysely<Database>,
  key: { readonly provider: Provider; readonly handle: string },
): Promise<ChannelRow | undefined> {
  const result = await sql<RawChannel>`
    /* selectChannelByHandle */
    select ${columns} from ${joined} where channel.provider = ${key.provider} and channel.handle = ${key.handle}
  `.execute(db);
  return result.rows.map(channelOf)[0];
}

/** Makes the channel of this handle wanted, creating it when it is new. Returns its id and whether it was created. */
export async function upsertWantedChannel(
  tx: Transaction<Database>,
  channel: { readonly id: ChannelId; readonly provider: Provider; readonly handle: string },
): Promise<{ id: ChannelId; overlayKeyVersion: number; created: boolean }> {
  const result = await sql<{ id: string; overlay_key_version: number }>`
    /* upsertWantedChannel */
    insert into channel (id, provider, handle, wanted)
    values (${uuidFromId(channel.id)}, ${channel.provider}, ${channel.handle}, true)
    on conflict (provider, handle) do update set wanted = true
    returning id, overlay_key_version
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) throw new Error('an upsert returns its row');
  const id = idFromUuid('channel', row.id);
  return { id, overlayKeyVersion: row.overlay_key_version, created: id === channel.id };
}

/** Makes a wanted channel of this handle. False when there is one already; another's insert is waited for. */
export async function insertWantedChannel(
  tx: Transaction<Database>,
  channel: { readonly id: ChannelId; readonly provider: Provider; readonly handle: string },
): Promise<boolean> {
  const result = await sql`
    /* insertWantedChannel */
    insert into channel (id, provider, handle, wanted)
    values (${uuidFromId(channel.id)}, ${channel.provider}, ${channel.handle}, true)
    on conflict (provider, handle) do nothing
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Takes the wish to be connected away. False when there is no such channel. */
export async function updateChannelUnwanted(db: Kysely<Database>, id: ChannelId): Promise<boolean> {
  const result = await sql`
    /* updateChannelUnwanted */
    update channel set wanted = false where id = ${uuidFromId(id)}
  `.execute(db);
  return result.numAffectedRows === 1n;
}

/** Raises the overlay key's version. Returns the new one, undefined when there is no such channel. */
export async function raiseOverlayKeyVersion(
  tx: Transaction<Database>,
  id: ChannelId,
): Promise<number | undefined> {
  const result = await sql<{ overlay_key_version: number }>`
    /* raiseOverlayKeyVersion */
    update channel set overlay_key_version = overlay_key_version + 1 where id = ${uuidFromId(id)}
    returning overlay_key_version
  `.execute(tx);
  return result.rows[0]?.overlay_key_version;
}

/** Every channel's id and overlay key version, locked against a rotation until the transaction ends. */
export async function lockOverlayKeyVersions(
  tx: Transaction<Database>,
): Promise<readonly { id: ChannelId; overlayKeyVersion: number }[]> {
  const result = await sql<{ id: string; overlay_key_version: number }>`
    /* lockOverlayKeyVersions */
    select id, overlay_key_version from channel order by id for no key update
  `.execute(tx);
  return result.rows.map((row) => ({
    id: idFromUuid('channel', row.id),
    overlayKeyVersion: row.overlay_key_version,
  }));
}
