import { type Kysely, sql, type Transaction } from 'kysely';
import { idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** What a one-time token is good for. */
export type OneTimeTokenKind = 'SETUP' | 'EMAIL_VERIFICATION' | 'PASSWORD_RESET' | 'EMAIL_CHANGE';

/** A token as stored. */
export interface OneTimeTokenRow {
  readonly userId: UserId | null;
  /** The new address of EMAIL_CHANGE, sealed; else null. */
  readonly email: Buffer | null;
}

/**
 * Stores a token in place of the one of its kind and user; for a user who is not there, nothing. Of several stored at once the
 * last one is good. Times are milliseconds since the Unix epoch.
 */
export async function replaceOneTimeToken(
  tx: Transaction<Database>,
  token: OneTimeTokenRow & {
    readonly tokenHash: Buffer;
    readonly kind: OneTimeTokenKind;
    readonly nowMs: number;
    readonly expiresAt: number;
  },
): Promise<void> {
  const userId = token.userId === null ? null : uuidFromId(token.userId);
  await sql`
    /* replaceOneTimeToken */
    insert into one_time_token (token_hash, kind, user_id, email, created_at, expires_at)
    select ${token.tokenHash}::bytea, ${token.kind}, ${userId}::uuid, ${token.email}::bytea, ${new Date(token.nowMs)}::timestamptz,
      ${new Date(token.expiresAt)}::timestamptz
    where ${userId}::uuid is null or exists (select from app_user where id = ${userId}::uuid)
    on conflict (user_id, kind) do update set token_hash = excluded.token_hash, email = excluded.email,
      created_at = excluded.created_at, expires_at = excluded.expires_at
  `.execute(tx);
}

/** Uses a token up: it is gone with the transaction. Undefined when it is none of this kind, or too old. */
export async function takeOneTimeToken(
  tx: Transaction<Database>,
  token: { readonly tokenHash: Buffer; readonly kind: OneTimeTokenKind; readonly nowMs: number },
): Promise<OneTimeTokenRow | undefined> {
  const result = await sql<{ user_id: string | null; email: Buffer | null }>`
    /* takeOneTimeToken */
    delete from one_time_token
    where token_hash = ${token.tokenHash} and kind = ${token.kind} and expires_at > ${new Date(token.nowMs)}
    returning user_id, email
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  return { userId: row.user_id === null ? null : idFromUuid('user', row.user_id), email: row.email };
}

/** Removes a user's tokens, of one kind or all of them: what they prove is about an account as it was. */
export async function deleteOneTimeTokensOf(
  tx: Transaction<Database>,
  userId: UserId,
  { kind = null }: { readonly kind?: OneTimeTokenKind | null } = {},
): Promise<void> {
  await sql`
    /* deleteOneTimeTokensOf */
    delete from one_time_token
    where user_id = ${uuidFromId(userId)} and (${kind}::text is null or kind::text = ${kind}::text)
  `.execute(tx);
}

/** Removes what is too old. */
export async function deleteExpiredOneTimeTokens(db: Kysely<Database>, nowMs: number): Promise<void> {
  await sql`
    /* deleteExpiredOneTimeTokens */
    delete from one_time_token where expires_at <= ${new Date(nowMs)}
  `.execute(db);
}
