import { type Kysely, sql, type Transaction } from 'kysely';
import { type Id, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

type TokenFamilyId = Id<'tokenFamily'>;

/** A family of refresh tokens, as stored. Times are milliseconds since the Unix epoch. */
export interface TokenFamilyRow {
  readonly id: TokenFamilyId;
  readonly userId: UserId;
  /** Sealed under the user's key. */
  readonly name: Buffer | null;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  readonly mfaAt: number | null;
  /** Of the token that is good. */
  readonly generation: number;
  readonly revokedAt: number | null;
}

/** One refresh token of a family. */
export interface RefreshTokenRow {
  readonly generation: number;
  /** When it was exchanged; null: it was not. */
  readonly usedAt: number | null;
}

interface Raw {
  readonly id: string;
  readonly user_id: string;
  readonly name: Buffer | null;
  readonly created_at: Date;
  readonly last_used_at: Date;
  readonly expires_at: Date;
  readonly mfa_at: Date | null;
  readonly generation: number;
  readonly revoked_at: Date | null;
}

function rowOf(raw: Raw): TokenFamilyRow {
  return {
    id: idFromUuid('tokenFamily', raw.id),
    userId: idFromUuid('user', raw.user_id),
    name: raw.name,
    createdAt: raw.created_at.getTime(),
    lastUsedAt: raw.last_used_at.getTime(),
    expiresAt: raw.expires_at.getTime(),
    mfaAt: raw.mfa_at?.getTime() ?? null,
    generation: raw.generation,
    revokedAt: raw.revoked_at?.getTime() ?? null,
  };
}

/** Stores a new family with its first token. */
export async function insertTokenFamily(
  tx: Transaction<Database>,
  { row, tokenHash }: { readonly row: TokenFamilyRow; readonly tokenHash: Buffer },
): Promise<void> {
  await sql`
    /* insertTokenFamily */
    insert into token_family (id, user_id, name, created_at, last_used_at, expires_at, mfa_at, generation)
    values (${uuidFromId(row.id)}, ${uuidFromId(row.userId)}, ${row.name}, ${new Date(row.createdAt)},
      ${new Date(row.lastUsedAt)}, ${new Date(row.expiresAt)}, ${row.mfaAt === null ? null : new Date(row.mfaAt)},
      ${row.generation})
  `.execute(tx);
  await insertRefreshToken(tx, {
    familyId: row.id,
    generation: row.generation,
    tokenHash,
    nowMs: row.createdAt,
  });
}

async function insertRefreshToken(
  tx: Transaction<Database>,
  token: {
    readonly familyId: TokenFamilyId;
    readonly generation: number;
    readonly tokenHash: Buffer;
    readonly nowMs: number;
  },
): Promise<void> {
  await sql`
    /* insertRefreshToken */
    insert into refresh_token (token_hash, family_id, generation, created_at)
    values (${token.tokenHash}, ${uuidFromId(token.familyId)}, ${token.generation}, ${new Date(token.nowMs)})
  `.execute(tx);
}

/** Forgets the families of a user that were used longest ago, leaving `keep` of them. */
export async function deleteOldestTokenFamilies(
  tx: Transaction<Database>,
  { userId, keep }: { readonly userId: UserId; readonly keep: number },
): Promise<void> {
  await sql`
    /* deleteOldestTokenFamilies */
    delete from token_family where id in (
      select id from token_family where user_id = ${uuidFromId(userId)}
      order by (revoked_at is null) desc, last_used_at desc, id desc offset ${keep}
    )
  `.execute(tx);
}

/** The family that this token belongs to, locked until the transaction ends, whatever state it is in. */
export async function lockFamilyOfToken(
  tx: Transaction<Database>,
  tokenHash: Buffer,
): Promise<TokenFamilyRow | undefined> {
  const result = await sql<Raw>`
    /* lockFamilyOfToken */
    select * from token_family where id = (select family_id from refresh_token where token_hash = ${tokenHash})
    for update
  `.execute(tx);
  const raw = result.rows[0];
  return raw === undefined ? undefined : rowOf(raw);
}

/** The token as it is now: read it once its family is locked. */
export async function selectRefreshToken(
  tx: Transaction<Database>,
  tokenHash: Buffer,
): Promise<RefreshTokenRow | undefined> {
  const result = await sql<{ generation: number; used_at: Date | null }>`
    /* selectRefreshToken */
    select generation, used_at from refresh_token where token_hash = ${tokenHash}
  `.execute(tx);
  const raw = result.rows[0];
  return raw === undefined
    ? undefined
    : { generation: raw.generation, usedAt: raw.used_at?.getTime() ?? null };
}

/** Exchanges the family's good token for another one. Its family must be locked. */
export async function replaceRefreshToken(
  tx: Transaction<Database>,
  exchange: { readonly family: TokenFamilyRow; readonly tokenHash: Buffer; readonly nowMs: number },
): Promise<void> {
  const { family, tokenHash, nowMs } = exchange;
  const id = uuidFromId(family.id);
  const generation = family.generation + 1;
  await sql`
    /* useRefreshToken */
    update refresh_token set used_at = ${new Date(nowMs)}
    where family_id = ${id} and generation = ${family.generation}
  `.execute(tx);
  await sql`
    /* advanceTokenFamily */
    update token_family set generation = ${generation}, last_used_at = ${new Date(nowMs)} where id = ${id}
  `.execute(tx);
  await insertRefreshToken(tx, { familyId: family.id, generation, tokenHash, nowMs });
}

/** Revokes families: one or all of a user's that are not. Returns how many. */
export async function revokeTokenFamilies(
  db: Kysely<Database>,
  revocation: {
    readonly userId: UserId;
    /** Null: all. */
    readonly id: TokenFamilyId | null;
    readonly because: 'USER' | 'REUSE';
    readonly nowMs: number;
  },
): Promise<number> {
  const id = revocation.id === null ? null : uuidFromId(revocation.id);
  const result = await sql`
    /* revokeTokenFamilies */
    update token_family set revoked_at = ${new Date(revocation.nowMs)}, revoked_because = ${revocation.because}
    where user_id = ${uuidFromId(revocation.userId)} and (${id}::uuid is null or id = ${id}::uuid)
      and revoked_at is null
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}

/** The user's families that are good at `nowMs`, the newest first. As many as are kept per user at most. */
export async function selectTokenFamilies(
  db: Kysely<Database>,
  { userId, nowMs }: { readonly userId: UserId; readonly nowMs: number },
): Promise<readonly TokenFamilyRow[]> {
  const result = await sql<Raw>`
    /* selectTokenFamilies */
    select * from token_family
    where user_id = ${uuidFromId(userId)} and revoked_at is null and expires_at > ${new Date(nowMs)}
    order by created_at desc, id desc
  `.execute(db);
  return result.rows.map(rowOf);
}

/** These families as far as they are good at `nowMs`. */
export async function selectGoodTokenFamilies(
  db: Kysely<Database>,
  { ids, nowMs }: { readonly ids: readonly TokenFamilyId[]; readonly nowMs: number },
): Promise<readonly TokenFamilyRow[]> {
  const result = await sql<Raw>`
    /* selectGoodTokenFamilies */
    select * from token_family
    where id = any(${ids.map(uuidFromId)}::uuid[]) and revoked_at is null and expires_at > ${new Date(nowMs)}
  `.execute(db);
  return result.rows.map(rowOf);
}

/** Removes families that have expired at `nowMs`, with their tokens. Returns how many. */
export async function deleteEndedTokenFamilies(db: Kysely<Database>, nowMs: number): Promise<number> {
  const result = await sql`
    /* deleteEndedTokenFamilies */
    delete from token_family where expires_at <= ${new Date(nowMs)}
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
