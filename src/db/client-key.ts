import { type Kysely, sql, type Transaction } from 'kysely';
import type { ClientScope } from '../auth/viewer.ts';
import {
  type ChannelId,
  type ClientId,
  type ClientKeyId,
  idFromUuid,
  type UserId,
  uuidFromId,
} from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A client's key, without what it opens things with. Times are milliseconds since the Unix epoch. */
export interface ClientKeyRow {
  readonly id: ClientKeyId;
  readonly clientId: ClientId;
  readonly channelId: ChannelId;
  /** The first characters behind `tlc_`. */
  readonly prefix: string;
  readonly scopes: readonly ClientScope[];
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
  /** Within a minute; null: never. */
  readonly lastUsedAt: number | null;
}

/** A key that opens something now, with what its client is held to. */
export interface ValidClientKeyRow {
  readonly id: ClientKeyId;
  readonly clientId: ClientId;
  readonly channelId: ChannelId;
  readonly keyHash: Buffer;
  readonly scopes: readonly ClientScope[];
  readonly expiresAt: number;
  readonly allowedOrigins: readonly string[];
  readonly costPerMinute: number | null;
}

interface RawKey {
  id: string;
  client_id: string;
  channel_id: string;
  prefix: string;
  scopes: ClientScope[];
  created_ms: number;
  expires_ms: number;
  revoked_ms: number | null;
  used_ms: number | null;
}

interface RawValidKey {
  id: string;
  client_id: string;
  channel_id: string;
  key_hash: Buffer;
  scopes: ClientScope[];
  expires_ms: number;
  allowed_origins: string[];
  cost_per_minute: number | null;
}

const columns = sql`
  client_key.id, client_key.client_id, client.channel_id, client_key.prefix, client_key.scopes,
  (extract(epoch from client_key.created_at) * 1000)::float8 as created_ms,
  (extract(epoch from client_key.expires_at) * 1000)::float8 as expires_ms,
  (extract(epoch from client_key.revoked_at) * 1000)::float8 as revoked_ms,
  (extract(epoch from client_key.last_used_at) * 1000)::float8 as used_ms`;

const validColumns = sql`
  client_key.id, client_key.client_id, client.channel_id, client_key.key_hash, client_key.scopes,
  (extract(epoch from client_key.expires_at) * 1000)::float8 as expires_ms,
  client.allowed_origins, client.cost_per_minute`;

const joined = sql`client_key join client on client.id = client_key.client_id`;

function keyOf(row: RawKey): ClientKeyRow {
  return {
    id: idFromUuid('clientKey', row.id),
    clientId: idFromUuid('client', row.client_id),
    channelId: idFromUuid('channel', row.channel_id),
    prefix: row.prefix,
    scopes: row.scopes,
    createdAt: Math.floor(row.created_ms),
    expiresAt: Math.floor(row.expires_ms),
    revokedAt: row.revoked_ms === null ? null : Math.floor(row.revoked_ms),
    lastUsedAt: row.used_ms === null ? null : Math.floor(row.used_ms),
  };
}

function validKeyOf(row: RawValidKey): ValidClientKeyRow {
  return {
    id: idFromUuid('clientKey', row.id),
    clientId: idFromUuid('client', row.client_id),
    channelId: idFromUuid('channel', row.channel_id),
    keyHash: row.key_hash,
    scopes: row.scopes,
    expiresAt: Math.floor(row.expires_ms),
    allowedOrigins: row.allowed_origins,
    costPerMinute: row.cost_per_minute,
  };
}

/** A client's newest keys, revoked and expired ones too, the newest first. */
export async function selectClientKeys(
  db: Kysely<Database>,
  clientId: ClientId,
  limit: number,
): Promise<readonly ClientKeyRow[]> {
  const result = await sql<RawKey>`
    /* selectClientKeys */
    select ${columns} from ${joined} where client_key.client_id = ${uuidFromId(clientId)}
    order by client_key.id desc limit ${limit}
  `.execute(db);
  return result.rows.map(keyOf);
}

/** The key, or undefined. */
export async function selectClientKey(
  db: Kysely<Database>,
  id: ClientKeyId,
): Promise<ClientKeyRow | undefined> {
  const result = await sql<RawKey>`
    /* selectClientKey */
    select ${columns} from ${joined} where client_key.id = ${uuidFromId(id)}
  `.execute(db);
  return result.rows.map(keyOf)[0];
}

/** Stores a key unless the client has `activeMax` that open something at `createdAt`. False when it has. */
export async function insertClientKey(
  tx: Transaction<Database>,
  key: {
    readonly id: ClientKeyId;
    readonly clientId: ClientId;
    readonly keyHash: Buffer;
    readonly prefix: string;
    readonly scopes: readonly ClientScope[];
    /** Who has seen the secret; null: the holder of the installation's key. */
    readonly createdBy: UserId | null;
    readonly createdAt: number;
    readonly expiresAt: number;
  },
  activeMax: number,
): Promise<boolean> {
  const client = uuidFromId(key.clientId);
  const createdBy = key.createdBy === null ? null : uuidFromId(key.createdBy);
  const now = sql`to_timestamp(${key.createdAt}::float8 / 1000)`;
  const result = await sql`
    /* insertClientKey */
    insert into client_key (id, client_id, key_hash, prefix, scopes, created_by, created_at, expires_at)
    select ${uuidFromId(key.id)}::uuid, ${client}::uuid, ${key.keyHash}::bytea, ${key.prefix}, ${[...key.scopes]}::text[],
      ${createdBy}::uuid, ${now}, to_timestamp(${key.expiresAt}::float8 / 1000)
    where (select count(*) from client_key
      where client_id = ${client} and revoked_at is null and expires_at > ${now}) < ${activeMax}
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Revokes a key; doing it again changes nothing. False when there is no such key. */
export async function revokeClientKey(
  db: Kysely<Database>,
  id: ClientKeyId,
  revokedAt: number,
): Promise<boolean> {
  const result = await sql`
    /* revokeClientKey */
    update client_key set revoked_at = coalesce(revoked_at, to_timestamp(${revokedAt}::float8 / 1000))
    where id = ${uuidFromId(id)}
  `.execute(db);
  return result.numAffectedRows === 1n;
}

/** Revokes the keys of a channel's clients that somebody made. Returns how many. */
export async function revokeClientKeysMadeBy(
  tx: Transaction<Database>,
  request: { readonly channelId: ChannelId; readonly userId: UserId; readonly revokedAt: number },
): Promise<number> {
  const now = sql`to_timestamp(${request.revokedAt}::float8 / 1000)`;
  const result = await sql`
    /* revokeClientKeysMadeBy */
    update client_key set revoked_at = ${now} from client
    where client.id = client_key.client_id and client.channel_id = ${uuidFromId(request.channelId)}
      and client_key.created_by = ${uuidFromId(request.userId)} and client_key.revoked_at is null
      and client_key.expires_at > ${now}
  `.execute(tx);
  return Number(result.numAffectedRows ?? 0n);
}

/** The key with this hash, if it opens something at `nowMs`. Notes its use, at most once a minute. */
export async function selectClientKeyByHash(
  db: Kysely<Database>,
  keyHash: Buffer,
  nowMs: number,
): Promise<ValidClientKeyRow | undefined> {
  const now = sql`to_timestamp(${nowMs}::float8 / 1000)`;
  const result = await sql<RawValidKey>`
    /* selectClientKeyByHash */
    with used as (
      update client_key set last_used_at = ${now}
      where key_hash = ${keyHash} and revoked_at is null and expires_at > ${now}
        and (last_used_at is null or last_used_at <= ${now} - interval '1 minute')
    )
    select ${validColumns} from ${joined}
    where client_key.key_hash = ${keyHash} and client_key.revoked_at is null and client_key.expires_at > ${now}
      and client.disabled_at is null
  `.execute(db);
  return result.rows.map(validKeyOf)[0];
}

/** Which of these keys open something at `nowMs`. At most as many rows as ids. */
export async function selectValidClientKeys(
  db: Kysely<Database>,
  ids: readonly ClientKeyId[],
  nowMs: number,
): Promise<readonly ValidClientKeyRow[]> {
  const result = await sql<RawValidKey>`
    /* selectValidClientKeys */
    select ${validColumns} from ${joined}
    where client_key.id = any(${ids.map(uuidFromId)}::uuid[]) and client_key.revoked_at is null
      and client_key.expires_at > to_timestamp(${nowMs}::float8 / 1000) and client.disabled_at is null
  `.execute(db);
  return result.rows.map(validKeyOf);
}
