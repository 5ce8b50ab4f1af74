import { type Kysely, sql, type Transaction } from 'kysely';
import { type ClientId, type Id, idFromUuid, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A document that a client registered. */
export interface ClientOperationRow {
  /** sha256 of the document, 64 hexadecimal digits in lower case. */
  readonly hash: string;
  readonly name: string;
  readonly document: string;
}

/** What a client published at one time. */
export interface ClientManifestRow {
  readonly id: Id<'manifest'>;
  readonly version: number;
  readonly operationCount: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

/** The operations of a client's newest `versions` manifests. */
export async function selectRunnableOperations(
  db: Kysely<Database>,
  clientId: ClientId,
  versions: number,
): Promise<readonly ClientOperationRow[]> {
  const result = await sql<{ hash: string; name: string; document: string }>`
    /* selectRunnableOperations */
    select encode(operation.operation_hash, 'hex') as hash, operation.name, operation.document
    from client_operation as operation
    where operation.client_id = ${uuidFromId(clientId)} and operation.operation_hash in (
      select unnest(newest.operation_hashes) from (
        select operation_hashes from client_manifest where client_id = ${uuidFromId(clientId)}
        order by version desc limit ${versions}
      ) as newest
    )
    order by operation.name, hash
  `.execute(db);
  return result.rows;
}

/** Stores what a client publishes as its next version, whose number is returned. The client's row must be locked. */
export async function insertManifest(
  tx: Transaction<Database>,
  manifest: {
    readonly id: Id<'manifest'>;
    readonly clientId: ClientId;
    readonly operations: readonly ClientOperationRow[];
    readonly createdAt: number;
  },
): Promise<number> {
  const client = uuidFromId(manifest.clientId);
  const hashes = manifest.operations.map(({ hash }) => Buffer.from(hash, 'hex'));
  await sql`
    /* insertClientOperations */
    insert into client_operation (client_id, operation_hash, name, document)
    select ${client}::uuid, hash, name, document
    from unnest(${hashes}::bytea[], ${manifest.operations.map(({ name }) => name)}::text[],
      ${manifest.operations.map(({ document }) => document)}::text[]) as wanted (hash, name, document)
    on conflict (client_id, operation_hash) do nothing
  `.execute(tx);
  const result = await sql<{ version: number }>`
    /* insertManifest */
    with raised as (
      update client set manifest_version = manifest_version + 1 where id = ${client} returning manifest_version
    )
    insert into client_manifest (id, client_id, version, operation_hashes, created_at)
    select ${uuidFromId(manifest.id)}::uuid, ${client}::uuid, manifest_version, ${hashes}::bytea[],
      to_timestamp(${manifest.createdAt}::float8 / 1000)
    from raised returning version
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) throw new Error('a locked client is there');
  return row.version;
}

/** Forgets manifests older than the newest `keep`, and the operations that only they list. */
export async function deleteOldManifests(
  tx: Transaction<Database>,
  clientId: ClientId,
  keep: number,
): Promise<void> {
  const client = uuidFromId(clientId);
  await sql`
    /* deleteOldManifests */
    delete from client_manifest where client_id = ${client}
      and version <= (select manifest_version from client where id = ${client}) - ${keep}
  `.execute(tx);
  await sql`
    /* deleteUnlistedOperations */
    delete from client_operation where client_id = ${client} and operation_hash not in (
      select unnest(operation_hashes) from client_manifest where client_id = ${client}
    )
  `.execute(tx);
}

/** A client's manifests, the newest first. */
export async function selectManifests(
  db: Kysely<Database>,
  clientId: ClientId,
  limit: number,
): Promise<readonly ClientManifestRow[]> {
  const result = await sql<{ id: string; version: number; operation_count: number; created_ms: number }>`
    /* selectManifests */
    select id, version, cardinality(operation_hashes) as operation_count,
      (extract(epoch from created_at) * 1000)::float8 as created_ms
    from client_manifest where client_id = ${uuidFromId(clientId)} order by version desc limit ${limit}
  `.execute(db);
  return result.rows.map((row) => ({
    id: idFromUuid('manifest', row.id),
    version: row.version,
    operationCount: row.operation_count,
    createdAt: Math.floor(row.created_ms),
  }));
}

/** Every operation of every client that ran since the day (`2026-11-25`). */
export async function selectOperationsInUse(
  db: Kysely<Database>,
  sinceDay: string,
): Promise<readonly (ClientOperationRow & { readonly clientId: ClientId; readonly runs: number })[]> {
  const result = await sql<{ client_id: string; hash: string; name: string; document: string; runs: number }>`
    /* selectOperationsInUse */
    select operation.client_id, encode(operation.operation_hash, 'hex') as hash, operation.name, operation.document,
      sum(used.runs)::float8 as runs
    from client_operation as operation
    join client_operation_usage as used
      on used.client_id = operation.client_id and used.operation_hash = operation.operation_hash
    where used.day >= ${sinceDay}::date
    group by operation.client_id, operation.operation_hash, operation.name, operation.document
    order by operation.client_id, operation.name
  `.execute(db);
  return result.rows.map(({ client_id, ...row }) => ({ ...row, clientId: idFromUuid('client', client_id) }));
}
