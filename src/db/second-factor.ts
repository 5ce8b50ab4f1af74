import { type Kysely, sql, type Transaction } from 'kysely';
import { type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** How many factors a user has. Recovery codes only stand in for one. */
export interface FactorCounts {
  /** The authenticator app: 0 or 1. */
  readonly totp: number;
  readonly passkeys: number;
  readonly recoveryCodes: number;
}

/** What the user can show as a second factor. */
export async function countFactors(db: Kysely<Database>, userId: UserId): Promise<FactorCounts> {
  const id = uuidFromId(userId);
  const result = await sql<{ totp: number; passkeys: number; recovery_codes: number }>`
    /* countFactors */
    select
      (select count(*)::int from totp_factor where user_id = ${id} and confirmed_at is not null) as totp,
      (select count(*)::int from passkey where user_id = ${id}) as passkeys,
      (select count(*)::int from recovery_code where user_id = ${id}) as recovery_codes
  `.execute(db);
  const row = result.rows[0];
  return { totp: row?.totp ?? 0, passkeys: row?.passkeys ?? 0, recoveryCodes: row?.recovery_codes ?? 0 };
}

/** Whether the user has a confirmed authenticator app or a passkey. */
export async function hasSecondFactor(db: Kysely<Database>, userId: UserId): Promise<boolean> {
  const id = uuidFromId(userId);
  const result = await sql<{ has: boolean }>`
    /* hasSecondFactor */
    select exists (select from totp_factor where user_id = ${id} and confirmed_at is not null)
      or exists (select from passkey where user_id = ${id}) as has
  `.execute(db);
  return result.rows[0]?.has ?? false;
}

/** What about a user decides over their factors. */
export interface FactorUser {
  readonly platformRole: 'USER' | 'ADMIN' | 'COMPLIANCE';
  /** Sealed under the user's key; null for a deleted user. */
  readonly email: Buffer | null;
  readonly passwordHash: string | null;
}

/** The user, whose row stays locked until the transaction ends: their factors and role change one after the other. */
export async function lockFactorUser(
  tx: Transaction<Database>,
  userId: UserId,
): Promise<FactorUser | undefined> {
  const result = await sql<FactorUserColumns>`
    /* lockFactorUser */
    select platform_role, email, password_hash from app_user
    where id = ${uuidFromId(userId)} and deleted_at is null for update
  `.execute(tx);
  return factorUserOf(result.rows[0]);
}

/** The user, unless deleted. */
export async function selectFactorUser(
  db: Kysely<Database>,
  userId: UserId,
): Promise<FactorUser | undefined> {
  const result = await sql<FactorUserColumns>`
    /* selectFactorUser */
    select platform_role, email, password_hash from app_user
    where id = ${uuidFromId(userId)} and deleted_at is null
  `.execute(db);
  return factorUserOf(result.rows[0]);
}

interface FactorUserColumns {
  readonly platform_role: FactorUser['platformRole'];
  readonly email: Buffer | null;
  readonly password_hash: string | null;
}

function factorUserOf(row: FactorUserColumns | undefined): FactorUser | undefined {
  return row && { platformRole: row.platform_role, email: row.email, passwordHash: row.password_hash };
}

/**
 * Counts an attempt to show a factor, before it is looked at: attempts at the same time cannot slip by. The count starts anew
 * `windowMs` after its first.
 */
export async function countFactorAttempt(
  db: Kysely<Database>,
  attempt: { readonly userId: UserId; readonly nowMs: number; readonly windowMs: number },
): Promise<{ readonly attempts: number; readonly sinceMs: number }> {
  const now = new Date(attempt.nowMs);
  const over = new Date(attempt.nowMs - attempt.windowMs);
  const result = await sql<{ attempts: number; since: Date }>`
    /* countFactorAttempt */
    insert into mfa_attempt (user_id, since, attempts) values (${uuidFromId(attempt.userId)}, ${now}, 1)
    on conflict (user_id) do update set
      attempts = case when mfa_attempt.since <= ${over} then 1 else mfa_attempt.attempts + 1 end,
      since = case when mfa_attempt.since <= ${over} then ${now} else mfa_attempt.since end
    returning attempts, since
  `.execute(db);
  const row = result.rows[0];
  return { attempts: row?.attempts ?? 1, sinceMs: row?.since.getTime() ?? attempt.nowMs };
}

/** Forgets the user's attempts: one succeeded. */
export async function clearFactorAttempts(db: Kysely<Database>, userId: UserId): Promise<void> {
  await sql`/* clearFactorAttempts */ delete from mfa_attempt where user_id = ${uuidFromId(userId)}`.execute(
    db,
  );
}
