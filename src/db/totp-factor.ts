import { type Kysely, sql } from 'kysely';
import { type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A user's authenticator app. Times are milliseconds since the Unix epoch. */
export interface TotpFactorRow {
  /** Sealed under the user's key. */
  readonly secret: Buffer;
  /** Null: not confirmed by a code yet, so it counts for nothing. */
  readonly confirmedAt: number | null;
}

/** Stores a secret to be confirmed, in place of one that was not. False when the user has a confirmed one. */
export async function putPendingTotp(
  db: Kysely<Database>,
  factor: { readonly userId: UserId; readonly secret: Buffer; readonly nowMs: number },
): Promise<boolean> {
  const result = await sql`
    /* putPendingTotp */
    insert into totp_factor (user_id, secret, created_at)
    values (${uuidFromId(factor.userId)}, ${factor.secret}, ${new Date(factor.nowMs)})
    on conflict (user_id) do update set secret = excluded.secret, created_at = excluded.created_at
    where totp_factor.confirmed_at is null
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** The user's authenticator app, confirmed or not. */
export async function selectTotp(db: Kysely<Database>, userId: UserId): Promise<TotpFactorRow | undefined> {
  const result = await sql<{ secret: Buffer; confirmed_at: Date | null }>`
    /* selectTotp */ select secret, confirmed_at from totp_factor where user_id = ${uuidFromId(userId)}
  `.execute(db);
  const row = result.rows[0];
  return row && { secret: row.secret, confirmedAt: row.confirmed_at?.getTime() ?? null };
}

/**
 * Confirms the authenticator app whose sealed secret is this one and takes the code's time step. False when that was done
 * meanwhile or another secret stands there.
 */
export async function confirmTotp(
  db: Kysely<Database>,
  factor: { readonly userId: UserId; readonly secret: Buffer; readonly step: number; readonly nowMs: number },
): Promise<boolean> {
  const result = await sql`
    /* confirmTotp */
    update totp_factor set confirmed_at = ${new Date(factor.nowMs)}, last_step = ${factor.step}
    where user_id = ${uuidFromId(factor.userId)} and secret = ${factor.secret} and confirmed_at is null
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/**
 * Takes the time step of a code that fits this sealed secret. False when it, or a newer one, was taken before: of any
 * number of callers with the same code one gets true.
 */
export async function takeTotpStep(
  db: Kysely<Database>,
  factor: { readonly userId: UserId; readonly secret: Buffer; readonly step: number },
): Promise<boolean> {
  const result = await sql`
    /* takeTotpStep */
    update totp_factor set last_step = ${factor.step}
    where user_id = ${uuidFromId(factor.userId)} and secret = ${factor.secret} and confirmed_at is not null
      and (last_step is null or last_step < ${factor.step})
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Removes the user's authenticator app. False when there was none that counted. */
export async function deleteTotp(db: Kysely<Database>, userId: UserId): Promise<boolean> {
  const result = await sql`
    /* deleteTotp */ delete from totp_factor where user_id = ${uuidFromId(userId)} and confirmed_at is not null
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}
