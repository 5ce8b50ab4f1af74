import { type Kysely, sql } from 'kysely';
import { type Id, idFromUuid, type SignInId, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A user's passkey. Times are milliseconds since the Unix epoch. */
export interface PasskeyRow {
  readonly id: Id<'passkey'>;
  readonly userId: UserId;
  readonly credentialId: Buffer;
  /** COSE. */
  readonly publicKey: Buffer;
  /** Signatures made so far, 0 where the authenticator does not count. */
  readonly counter: number;
  readonly transports: readonly string[];
  /** Sealed under the user's key. */
  readonly name: Buffer;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** What a challenge is good for. */
export type PasskeyPurpose = 'REGISTER' | 'VERIFY';

/** A challenge and where it may be answered. */
export interface PasskeyChallenge {
  readonly challenge: Buffer;
  readonly userId: UserId;
  readonly signInId: SignInId;
  readonly purpose: PasskeyPurpose;
}

/** Stores a challenge until `expiresAtMs` and forgets those of the user that have expired by `nowMs`. */
export async function insertPasskeyChallenge(
  db: Kysely<Database>,
  challenge: PasskeyChallenge & { readonly nowMs: number; readonly expiresAtMs: number },
): Promise<void> {
  const userId = uuidFromId(challenge.userId);
  await sql`
    /* insertPasskeyChallenge */
    with expired as (
      delete from passkey_challenge where user_id = ${userId}::uuid and expires_at <= ${new Date(challenge.nowMs)}
    )
    insert into passkey_challenge (challenge, user_id, sign_in_id, purpose, expires_at)
    values (${challenge.challenge}, ${userId}, ${uuidFromId(challenge.signInId)}, ${challenge.purpose},
      ${new Date(challenge.expiresAtMs)})
  `.execute(db);
}

/** Uses up a challenge. Of any number of callers one gets true, and only before it expires. */
export async function takePasskeyChallenge(
  db: Kysely<Database>,
  challenge: PasskeyChallenge & { readonly nowMs: number },
): Promise<boolean> {
  const result = await sql<{ fresh: boolean }>`
    /* takePasskeyChallenge */
    delete from passkey_challenge
    where challenge = ${challenge.challenge} and user_id = ${uuidFromId(challenge.userId)}
      and sign_in_id = ${uuidFromId(challenge.signInId)} and purpose = ${challenge.purpose}
    returning expires_at > ${new Date(challenge.nowMs)} as fresh
  `.execute(db);
  return result.rows[0]?.fresh ?? false;
}

/** Stores a passkey. False when its credential is somebody's already. */
export async function insertPasskey(
  db: Kysely<Database>,
  passkey: Omit<PasskeyRow, 'lastUsedAt'>,
): Promise<boolean> {
  const result = await sql`
    /* insertPasskey */
    insert into passkey (id, user_id, credential_id, public_key, counter, transports, name, created_at)
    values (${uuidFromId(passkey.id)}, ${uuidFromId(passkey.userId)}, ${passkey.credentialId}, ${passkey.publicKey},
      ${passkey.counter}, ${passkey.transports}::text[], ${passkey.name}, ${new Date(passkey.createdAt)})
    on conflict (credential_id) do nothing
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** The user's passkeys, oldest first. They are few: registering is refused beyond a limit. */
export async function selectPasskeys(db: Kysely<Database>, userId: UserId): Promise<readonly PasskeyRow[]> {
  const result = await sql<{
    id: string;
    credential_id: Buffer;
    public_key: Buffer;
    counter: bigint;
    transports: string[];
    name: Buffer;
    created_at: Date;
    last_used_at: Date | null;
  }>`
    /* selectPasskeys */
    select id, credential_id, public_key, counter, transports, name, created_at, last_used_at
    from passkey where user_id = ${uuidFromId(userId)} order by created_at, id
  `.execute(db);
  return result.rows.map((row) => ({
    id: idFromUuid('passkey', row.id),
    userId,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    counter: Number(row.counter),
    transports: row.transports,
    name: row.name,
    createdAt: row.created_at.getTime(),
    lastUsedAt: row.last_used_at?.getTime() ?? null,
  }));
}

/**
 * Notes a use of the passkey. False when the counter did not rise: an answer seen before, or a copied authenticator.
 * Authenticators that do not count always say 0.
 */
export async function takePasskeyCounter(
  db: Kysely<Database>,
  use: { readonly id: Id<'passkey'>; readonly counter: number; readonly nowMs: number },
): Promise<boolean> {
  const result = await sql`
    /* takePasskeyCounter */
    update passkey set counter = ${use.counter}, last_used_at = ${new Date(use.nowMs)}
    where id = ${uuidFromId(use.id)} and (counter < ${use.counter} or (counter = 0 and ${use.counter}::bigint = 0))
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Gives the user's passkey another name (sealed). False when they have no such one. */
export async function updatePasskeyName(
  db: Kysely<Database>,
  passkey: { readonly id: Id<'passkey'>; readonly userId: UserId; readonly name: Buffer },
): Promise<boolean> {
  const result = await sql`
    /* updatePasskeyName */
    update passkey set name = ${passkey.name}
    where id = ${uuidFromId(passkey.id)} and user_id = ${uuidFromId(passkey.userId)}
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Removes the user's passkey. False when they have no such one. */
export async function deletePasskey(
  db: Kysely<Database>,
  passkey: { readonly id: Id<'passkey'>; readonly userId: UserId },
): Promise<boolean> {
  const result = await sql`
    /* deletePasskey */
    delete from passkey where id = ${uuidFromId(passkey.id)} and user_id = ${uuidFromId(passkey.userId)}
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}
