import { type Kysely, sql } from 'kysely';
import type { Database } from './connect.ts';

/**
 * What is remembered for a while of what came from elsewhere.
 * - `CLERK_TOKEN`, `OIDC_FLOW`: a proof that was used;
 * - `CLERK_EVENT`: a call that was acted on;
 * - `CLERK_ENDED`: a session or user whose proofs may still be about, and are refused.
 */
export type ExternalMemoryKind = 'CLERK_TOKEN' | 'CLERK_EVENT' | 'CLERK_ENDED' | 'OIDC_FLOW';

interface Remembered {
  readonly kind: ExternalMemoryKind;
  /** 32 bytes. */
  readonly keyHash: Buffer;
}

/** Remembers until `expiresAtMs`. Of any number of callers the first gets true. */
export async function rememberOnce(
  db: Kysely<Database>,
  memory: Remembered & { readonly expiresAtMs: number },
): Promise<boolean> {
  const result = await sql`
    /* rememberOnce */
    insert into external_memory (kind, key_hash, expires_at)
    values (${memory.kind}, ${memory.keyHash}, ${new Date(memory.expiresAtMs)})
    on conflict (kind, key_hash) do nothing
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Remembers until `expiresAtMs`, or for longer when that was to be. */
export async function rememberUntil(
  db: Kysely<Database>,
  memory: Remembered & { readonly expiresAtMs: number },
): Promise<void> {
  await sql`
    /* rememberUntil */
    insert into external_memory (kind, key_hash, expires_at)
    values (${memory.kind}, ${memory.keyHash}, ${new Date(memory.expiresAtMs)})
    on conflict (kind, key_hash) do update set expires_at = greatest(external_memory.expires_at, excluded.expires_at)
  `.execute(db);
}

/** Whether any of these is remembered at `nowMs`. */
export async function anyRemembered(
  db: Kysely<Database>,
  memory: {
    readonly kind: ExternalMemoryKind;
    readonly keyHashes: readonly Buffer[];
    readonly nowMs: number;
  },
): Promise<boolean> {
  const result = await sql`
    /* anyRemembered */
    select 1 from external_memory
    where kind = ${memory.kind} and key_hash = any(${memory.keyHashes}::bytea[]) and expires_at > ${new Date(memory.nowMs)}
    limit 1
  `.execute(db);
  return result.rows.length > 0;
}

/** Forgets what has expired by `nowMs`. */
export async function deleteExpiredMemories(db: Kysely<Database>, nowMs: number): Promise<void> {
  await sql`
    /* deleteExpiredMemories */
    delete from external_memory where expires_at <= ${new Date(nowMs)}
  `.execute(db);
}
