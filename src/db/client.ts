import { type Kysely, sql, type Transaction } from 'kysely';
import { type ChannelId, type ClientId, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** An integrator's application. Times are milliseconds since the Unix epoch. */
export interface ClientRow {
  readonly id: ClientId;
  readonly channelId: ChannelId;
  readonly name: string;
  readonly allowedOrigins: readonly string[];
  /** Points a minute; null: what everybody has. */
  readonly costPerMinute: number | null;
  /** 0: nothing published yet. */
  readonly manifestVersion: number;
  readonly createdAt: number;
  /** Null: not disabled. */
  readonly disabledAt: number | null;
}

interface RawClient {
  id: string;
  channel_id: string;
  name: string;
  allowed_origins: string[];
  cost_per_minute: number | null;
  manifest_version: number;
  created_ms: number;
  disabled_ms: number | null;
}

const columns = sql`
  id, channel_id, name, allowed_origins, cost_per_minute, manifest_version,
  (extract(epoch from created_at) * 1000)::float8 as created_ms,
  (extract(epoch from disabled_at) * 1000)::float8 as disabled_ms`;

function clientOf(row: RawClient): ClientRow {
  return {
    id: idFromUuid('client', row.id),
    channelId: idFromUuid('channel', row.channel_id),
    name: row.name,
    allowedOrigins: row.allowed_origins,
    costPerMinute: row.cost_per_minute,
    manifestVersion: row.manifest_version,
    createdAt: Math.floor(row.created_ms),
    disabledAt: row.disabled_ms === null ? null : Math.floor(row.disabled_ms),
  };
}

/** The client, or undefined. */
export async function selectClient(db: Kysely<Database>, id: ClientId): Promise<ClientRow | undefined> {
  const result = await sql<RawClient>`
    /* selectClient */
    select ${columns} from client where id = ${uuidFromId(id)}
  `.execute(db);
  return result.rows.map(clientOf)[0];
}

/** The client, locked against every other change of it or of its keys; undefined when there is none. */
export async function lockClient(tx: Transaction<Database>, id: ClientId): Promise<ClientRow | undefined> {
  const result = await sql<RawClient>`
    /* lockClient */
    select ${columns} from client where id = ${uuidFromId(id)} for update
  `.execute(tx);
  return result.rows.map(clientOf)[0];
}

/** Clients in the order they were made, `limit` of them after `afterId`: a channel's, or everybody's. */
export async function selectClientPage(
  db: Kysely<Database>,
  page: { readonly channelId: ChannelId | null; readonly afterId: ClientId | null; readonly limit: number },
): Promise<readonly ClientRow[]> {
  const ofChannel =
    page.channelId === null ? sql`true` : sql`channel_id = ${uuidFromId(page.channelId)}::uuid`;
  const after = page.afterId === null ? sql`true` : sql`id > ${uuidFromId(page.afterId)}::uuid`;
  const result = await sql<RawClient>`
    /* selectClientPage */
    select ${columns} from client where ${ofChannel} and ${after} order by id limit ${page.limit}
  `.execute(db);
  return result.rows.map(clientOf);
}

/** Stores a new client, unless the channel has `clientsMax` already. False when it has. */
export async function insertClient(
  tx: Transaction<Database>,
  client: {
    readonly id: ClientId;
    readonly channelId: ChannelId;
    readonly name: string;
    readonly createdBy: UserId | null;
    readonly allowedOrigins: readonly string[];
    readonly costPerMinute: number | null;
    readonly createdAt: number;
  },
  clientsMax: number,
): Promise<boolean> {
  const channel = uuidFromId(client.channelId);
  // The channel's row is locked, so that two at once count each other.
  await sql`
    /* lockChannelForClient */
    select 1 from channel where id = ${channel} for no key update
  `.execute(tx);
  const createdBy = client.createdBy === null ? null : uuidFromId(client.createdBy);
  const result = await sql`
    /* insertClient */
    insert into client (id, channel_id, name, created_by, allowed_origins, cost_per_minute, created_at)
    select ${uuidFromId(client.id)}::uuid, ${channel}::uuid, ${client.name}, ${createdBy}::uuid,
      ${[...client.allowedOrigins]}::text[], ${client.costPerMinute}::int, to_timestamp(${client.createdAt}::float8 / 1000)
    where (select count(*) from client where channel_id = ${channel}) < ${clientsMax}
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Changes what is given; what is undefined stays. Undefined when there is no such client. */
export async function updateClient(
  db: Kysely<Database>,
  id: ClientId,
  change: {
    readonly name?: string | undefined;
    readonly allowedOrigins?: readonly string[] | undefined;
    readonly costPerMinute?: number | null | undefined;
  },
): Promise<ClientRow | undefined> {
  const cost = change.costPerMinute === undefined ? sql`cost_per_minute` : sql`${change.costPerMinute}::int`;
  const origins = change.allowedOrigins === undefined ? null : [...change.allowedOrigins];
  const result = await sql<RawClient>`
    /* updateClient */
    update client set
      name = coalesce(${change.name ?? null}::text, name),
      allowed_origins = coalesce(${origins}::text[], allowed_origins),
      cost_per_minute = ${cost}
    where id = ${uuidFromId(id)} returning ${columns}
  `.execute(db);
  return result.rows.map(clientOf)[0];
}

/** Disables a client or takes that back (null). Undefined when there is no such client. */
export async function updateClientDisabled(
  db: Kysely<Database>,
  id: ClientId,
  disabledAt: number | null,
): Promise<ClientRow | undefined> {
  const result = await sql<RawClient>`
    /* updateClientDisabled */
    update client set disabled_at = to_timestamp(${disabledAt}::float8 / 1000) where id = ${uuidFromId(id)}
    returning ${columns}
  `.execute(db);
  return result.rows.map(clientOf)[0];
}

/** Takes a client away, with its keys, operations and usage. False when there is none. */
export async function deleteClient(db: Kysely<Database>, id: ClientId): Promise<boolean> {
  const result = await sql`
    /* deleteClient */
    delete from client where id = ${uuidFromId(id)}
  `.execute(db);
  return result.numAffectedRows === 1n;
}

/** Whether pages of this origin may use the API as some client. */
export async function selectOriginAllowed(db: Kysely<Database>, origin: string): Promise<boolean> {
  const result = await sql<{ allowed: boolean }>`
    /* selectOriginAllowed */
    select exists (select 1 from client where ${origin} = any(allowed_origins) and disabled_at is null) as allowed
  `.execute(db);
  return result.rows[0]?.allowed === true;
}
