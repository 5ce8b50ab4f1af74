import { type Kysely, sql, type Transaction } from 'kysely';
import { type AccessKeyId, type ChannelId, idFromUuid, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A key that opens the API and is not revoked. */
export interface AccessKeyRow {
  readonly id: AccessKeyId;
  readonly kind: 'OPERATOR' | 'OVERLAY';
  /** Null for the operator's key. */
  readonly channelId: ChannelId | null;
  /** sha256 of the key, 32 bytes. */
  readonly keyHash: Buffer;
}

/** The unrevoked key with this hash, or undefined. */
export async function selectAccessKeyByHash(
  db: Kysely<Database>,
  keyHash: Buffer,
): Promise<AccessKeyRow | undefined> {
  const result = await sql<{
    id: string;
    kind: 'OPERATOR' | 'OVERLAY';
    channel_id: string | null;
    key_hash: Buffer;
  }>`
    /* selectAccessKeyByHash */
    select id, kind, channel_id, key_hash from access_key where key_hash = ${keyHash} and revoked_at is null
  `.execute(db);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  return {
    id: idFromUuid('accessKey', row.id),
    kind: row.kind,
    channelId: row.channel_id === null ? null : idFromUuid('channel', row.channel_id),
    keyHash: row.key_hash,
  };
}

/** Which of these keys are (still) valid. At most as many rows as ids. */
export async function selectValidAccessKeys(
  db: Kysely<Database>,
  ids: readonly AccessKeyId[],
): Promise<ReadonlySet<AccessKeyId>> {
  const result = await sql<{ id: string }>`
    /* selectValidAccessKeys */
    select id from access_key where id = any(${ids.map(uuidFromId)}::uuid[]) and revoked_at is null
  `.execute(db);
  return new Set(result.rows.map((row) => idFromUuid('accessKey', row.id)));
}

/** The key to be valid for a scope: the operator (no channel) or one channel's overlays. */
export interface ValidKey {
  readonly id: AccessKeyId;
  readonly channelId: ChannelId | null;
  readonly keyHash: Buffer;
}

/**
 * Makes each key the only valid one of its scope: stored if new, every other key of the scope revoked. Idempotent.
 * Both statements see the same rows in the same order, so two processes that start at once do not deadlock.
 */
export async function replaceAccessKeys(
  tx: Transaction<Database>,
  keys: readonly ValidKey[],
): Promise<{ revoked: number }> {
  const sorted = keys.toSorted((a, b) => Buffer.compare(a.keyHash, b.keyHash));
  const hashes = sorted.map((key) => key.keyHash);
  const channels = sorted.map((key) => (key.channelId === null ? null : uuidFromId(key.channelId)));
  await sql`
    /* insertAccessKeys */
    insert into access_key (id, kind, channel_id, key_hash)
    select id, case when channel_id is null then 'OPERATOR' else 'OVERLAY' end, channel_id, key_hash
    from unnest(${sorted.map((key) => uuidFromId(key.id))}::uuid[], ${channels}::uuid[], ${hashes}::bytea[])
      as wanted (id, channel_id, key_hash)
    on conflict (key_hash) do update set revoked_at = null where access_key.revoked_at is not null
  `.execute(tx);
  const revoked = await sql`
    /* revokeOtherAccessKeys */
    update access_key set revoked_at = now()
    from unnest(${channels}::uuid[], ${hashes}::bytea[]) as wanted (channel_id, key_hash)
    where access_key.channel_id is not distinct from wanted.channel_id
      and access_key.key_hash <> wanted.key_hash and access_key.revoked_at is null
  `.execute(tx);
  return { revoked: Number(revoked.numAffectedRows ?? 0n) };
}
