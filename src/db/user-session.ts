import { type Kysely, sql } from 'kysely';
import { type Id, idFromUuid, type SignInId, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** A sign-in session as stored. Times are milliseconds since the Unix epoch. */
export interface UserSessionRow {
  /** sha256 of the token, 32 bytes. */
  readonly tokenHash: Buffer;
  /** Names the session in lists; opens nothing. */
  readonly id: SignInId;
  readonly userId: UserId;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** Idle expiry: moves with use, never beyond the absolute one. */
  readonly expiresAt: number;
  readonly absoluteExpiresAt: number;
  /** When a second factor was last shown; null: never. */
  readonly mfaAt: number | null;
  /** Sealed under the user's key; null: none was sent. */
  readonly userAgent: Buffer | null;
  /** Sealed under the user's key; null: unknown. */
  readonly address: Buffer | null;
  /** The identity that it was signed in with; null: a password, or one that is not linked any more. */
  readonly externalIdentityId: Id<'externalIdentity'> | null;
  /** Keyed hash of the session at the identity's issuer, 32 bytes; null: there is none that could end. */
  readonly externalSessionHash: Buffer | null;
}

interface Raw {
  readonly token_hash: Buffer;
  readonly id: string;
  readonly user_id: string;
  readonly created_at: Date;
  readonly last_seen_at: Date;
  readonly expires_at: Date;
  readonly absolute_expires_at: Date;
  readonly mfa_at: Date | null;
  readonly user_agent: Buffer | null;
  readonly address: Buffer | null;
  readonly external_identity_id: string | null;
  readonly external_session_hash: Buffer | null;
}

function rowOf(raw: Raw): UserSessionRow {
  return {
    tokenHash: raw.token_hash,
    id: idFromUuid('signIn', raw.id),
    userId: idFromUuid('user', raw.user_id),
    createdAt: raw.created_at.getTime(),
    lastSeenAt: raw.last_seen_at.getTime(),
    expiresAt: raw.expires_at.getTime(),
    absoluteExpiresAt: raw.absolute_expires_at.getTime(),
    mfaAt: raw.mfa_at?.getTime() ?? null,
    userAgent: raw.user_agent,
    address: raw.address,
    externalIdentityId:
      raw.external_identity_id === null ? null : idFromUuid('externalIdentity', raw.external_identity_id),
    externalSessionHash: raw.external_session_hash,
  };
}

function firstOf(rows: readonly Raw[]): UserSessionRow | undefined {
  const raw = rows[0];
  return raw === undefined ? undefined : rowOf(raw);
}

/** Stores a new session. */
export async function insertUserSession(db: Kysely<Database>, row: UserSessionRow): Promise<void> {
  const absoluteEnd = new Date(row.absoluteExpiresAt);
  await sql`
    /* insertUserSession */
    insert into user_session (token_hash, id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at,
      mfa_at, user_agent, address, external_identity_id, external_session_hash)
    values (${row.tokenHash}, ${uuidFromId(row.id)}, ${uuidFromId(row.userId)}, ${new Date(row.createdAt)},
      ${new Date(row.lastSeenAt)}, least(${new Date(row.expiresAt)}::timestamptz, ${absoluteEnd}::timestamptz),
      ${absoluteEnd}, ${row.mfaAt === null ? null : new Date(row.mfaAt)}, ${row.userAgent}, ${row.address},
      ${row.externalIdentityId === null ? null : uuidFromId(row.externalIdentityId)}, ${row.externalSessionHash})
  `.execute(db);
}

/** Ends the sessions of a user that were used longest ago, leaving `keep` of them. */
export async function deleteOldestUserSessions(
  db: Kysely<Database>,
  { userId, keep }: { readonly userId: UserId; readonly keep: number },
): Promise<void> {
  await sql`
    /* deleteOldestUserSessions */
    delete from user_session where token_hash in (
      select token_hash from user_session where user_id = ${uuidFromId(userId)}
      order by last_seen_at desc, id desc offset ${keep}
    )
  `.execute(db);
}

/** The session with this hash, ended or not; undefined when there is none, or its user may not sign in. */
export async function selectUserSessionByHash(
  db: Kysely<Database>,
  tokenHash: Buffer,
): Promise<UserSessionRow | undefined> {
  const result = await sql<Raw>`
    /* selectUserSessionByHash */
    select s.* from user_session s join app_user u on u.id = s.user_id
    where s.token_hash = ${tokenHash} and u.deleted_at is null and u.disabled_at is null
  `.execute(db);
  return firstOf(result.rows);
}

/** The session with this id that lasts at `nowMs`; undefined when there is none, or its user may not sign in. */
export async function selectUserSession(
  db: Kysely<Database>,
  { id, nowMs }: { readonly id: SignInId; readonly nowMs: number },
): Promise<UserSessionRow | undefined> {
  const result = await sql<Raw>`
    /* selectUserSession */
    select s.* from user_session s join app_user u on u.id = s.user_id
    where s.id = ${uuidFromId(id)} and s.expires_at > ${new Date(nowMs)}
      and u.deleted_at is null and u.disabled_at is null
  `.execute(db);
  return firstOf(result.rows);
}

/** The user's sessions, ended or not, the newest first. As many as are kept per user at most. */
export async function selectUserSessions(
  db: Kysely<Database>,
  userId: UserId,
): Promise<readonly UserSessionRow[]> {
  const result = await sql<Raw>`
    /* selectUserSessions */
    select * from user_session where user_id = ${uuidFromId(userId)} order by created_at desc, id desc
  `.execute(db);
  return result.rows.map(rowOf);
}

/** Moves the idle expiry, never beyond the absolute one. */
export async function updateUserSessionExpiry(
  db: Kysely<Database>,
  { tokenHash, expiresAt }: { readonly tokenHash: Buffer; readonly expiresAt: number },
): Promise<void> {
  await sql`
    /* updateUserSessionExpiry */
    update user_session set expires_at = least(${new Date(expiresAt)}::timestamptz, absolute_expires_at)
    where token_hash = ${tokenHash}
  `.execute(db);
}

/** Notes that the session was used, and moves its idle expiry, never beyond the absolute one. */
export async function touchUserSession(
  db: Kysely<Database>,
  touch: { readonly tokenHash: Buffer; readonly nowMs: number; readonly expiresAt: number },
): Promise<void> {
  await sql`
    /* touchUserSession */
    update user_session set last_seen_at = greatest(last_seen_at, ${new Date(touch.nowMs)}),
      expires_at = least(greatest(expires_at, ${new Date(touch.expiresAt)}::timestamptz), absolute_expires_at)
    where token_hash = ${touch.tokenHash}
  `.execute(db);
}

/** Takes a session that lasts at `nowMs` out of the table. Of several that try at once, one gets it. */
export async function takeUserSession(
  db: Kysely<Database>,
  { id, nowMs }: { readonly id: SignInId; readonly nowMs: number },
): Promise<UserSessionRow | undefined> {
  const result = await sql<Raw>`
    /* takeUserSession */
    delete from user_session where id = ${uuidFromId(id)} and expires_at > ${new Date(nowMs)} returning *
  `.execute(db);
  return firstOf(result.rows);
}

/** Ends the session with this hash. */
export async function deleteUserSessionByHash(db: Kysely<Database>, tokenHash: Buffer): Promise<void> {
  await sql`/* deleteUserSessionByHash */ delete from user_session where token_hash = ${tokenHash}`.execute(
    db,
  );
}

/** Ends one session of a user. False when they have no such one. */
export async function deleteUserSession(
  db: Kysely<Database>,
  { id, userId }: { readonly id: SignInId; readonly userId: UserId },
): Promise<boolean> {
  const result = await sql`
    /* deleteUserSession */
    delete from user_session where id = ${uuidFromId(id)} and user_id = ${uuidFromId(userId)}
  `.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Ends a user's sessions, all or all but one. Returns how many. */
export async function deleteUserSessions(
  db: Kysely<Database>,
  { userId, except }: { readonly userId: UserId; readonly except: SignInId | null },
): Promise<number> {
  const result = await sql`
    /* deleteUserSessions */
    delete from user_session where user_id = ${uuidFromId(userId)}
      and id is distinct from ${except === null ? null : uuidFromId(except)}::uuid
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}

/** Ends the sessions that came by an identity, all or all but one. Returns how many. */
export async function deleteSessionsOfIdentity(
  db: Kysely<Database>,
  { identityId, except }: { readonly identityId: Id<'externalIdentity'>; readonly except: SignInId | null },
): Promise<number> {
  const result = await sql`
    /* deleteSessionsOfIdentity */
    delete from user_session where external_identity_id = ${uuidFromId(identityId)}
      and id is distinct from ${except === null ? null : uuidFromId(except)}::uuid
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}

/** Ends the sessions that came of this session elsewhere. Whose they were. */
export async function deleteSessionsOfExternalSession(
  db: Kysely<Database>,
  externalSessionHash: Buffer,
): Promise<readonly UserId[]> {
  const result = await sql<{ user_id: string }>`
    /* deleteSessionsOfExternalSession */
    delete from user_session where external_session_hash = ${externalSessionHash} returning user_id
  `.execute(db);
  return result.rows.map((row) => idFromUuid('user', row.user_id));
}

/** Removes what has ended at `nowMs`. Returns how many. */
export async function deleteEndedUserSessions(db: Kysely<Database>, nowMs: number): Promise<number> {
  const result = await sql`
    /* deleteEndedUserSessions */
    delete from user_session where expires_at <= ${new Date(nowMs)}
  `.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
