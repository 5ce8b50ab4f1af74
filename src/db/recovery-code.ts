import { type Kysely, sql, type Transaction } from 'kysely';
import { type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** Makes these the user's recovery codes; all earlier ones stop working. */
export async function replaceRecoveryCodes(
  tx: Transaction<Database>,
  codes: { readonly userId: UserId; readonly hashes: readonly Buffer[]; readonly nowMs: number },
): Promise<void> {
  await deleteRecoveryCodes(tx, codes.userId);
  await sql`
    /* insertRecoveryCodes */
    insert into recovery_code (user_id, code_hash, created_at)
    select ${uuidFromId(codes.userId)}::uuid, code_hash, ${new Date(codes.nowMs)}
    from unnest(${codes.hashes}::bytea[]) as given (code_hash)
  `.execute(tx);
}

/** Uses up a recovery code. Of any number of callers with the same code one gets true. */
export async function takeRecoveryCode(
  db: Kysely<Database>,
  code: { readonly userId: UserId; readonly hash: Buffer },
): Promise<boolean> {
  const result = await sql`
    /* takeRecoveryCode */
    delete from recovery_code where user_id = ${uuidFromId(code.userId)} and code_hash = ${code.hash} returning 1
  `.execute(db);
  return result.rows.length > 0;
}

/** Removes all recovery codes of the user. */
export async function deleteRecoveryCodes(db: Kysely<Database>, userId: UserId): Promise<void> {
  await sql`/* deleteRecoveryCodes */ delete from recovery_code where user_id = ${uuidFromId(userId)}`.execute(
    db,
  );
}
