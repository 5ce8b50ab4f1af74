import { type Kysely, sql, type Transaction } from 'kysely';
import { type Id, idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** An account's identity elsewhere. Times are milliseconds since the Unix epoch. */
export interface ExternalIdentityRow {
  readonly id: Id<'externalIdentity'>;
  readonly userId: UserId;
  readonly issuer: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** Names an identity: its issuer, and a keyed hash of who that is there. */
export interface ExternalIdentityKey {
  readonly issuer: string;
  readonly subjectHash: Buffer;
}

interface Raw {
  readonly id: string;
  readonly user_id: string;
  readonly issuer: string;
  readonly created_at: Date;
  readonly last_used_at: Date | null;
}

function rowOf(raw: Raw): ExternalIdentityRow {
  return {
    id: idFromUuid('externalIdentity', raw.id),
    userId: idFromUuid('user', raw.user_id),
    issuer: raw.issuer,
    createdAt: raw.created_at.getTime(),
    lastUsedAt: raw.last_used_at?.getTime() ?? null,
  };
}

const columns = sql`id, user_id, issuer, created_at, last_used_at`;

/** The identity, with whose it is. */
export async function selectExternalIdentity(
  db: Kysely<Database>,
  { issuer, subjectHash }: ExternalIdentityKey,
): Promise<ExternalIdentityRow | undefined> {
  const result = await sql<Raw>`
    /* selectExternalIdentity */
    select ${columns} from external_identity where issuer = ${issuer} and subject_hash = ${subjectHash}
  `.execute(db);
  return result.rows.map(rowOf)[0];
}

/** The account's identities, oldest first. They are few: linking is refused beyond a limit. */
export async function selectExternalIdentities(
  db: Kysely<Database>,
  userId: UserId,
): Promise<readonly ExternalIdentityRow[]> {
  const result = await sql<Raw>`
    /* selectExternalIdentities */
    select ${columns} from external_identity where user_id = ${uuidFromId(userId)} order by created_at, id
  `.execute(db);
  return result.rows.map(rowOf);
}

/** Links an identity to an account. False when it is linked already, to whomever. */
export async function insertExternalIdentity(
  tx: Transaction<Database>,
  identity: ExternalIdentityKey & {
    readonly id: Id<'externalIdentity'>;
    readonly userId: UserId;
    readonly nowMs: number;
  },
): Promise<boolean> {
  const result = await sql`
    /* insertExternalIdentity */
    insert into external_identity (id, user_id, issuer, subject_hash, created_at)
    values (${uuidFromId(identity.id)}, ${uuidFromId(identity.userId)}, ${identity.issuer}, ${identity.subjectHash},
      ${new Date(identity.nowMs)})
    on conflict (issuer, subject_hash) do nothing
  `.execute(tx);
  return (result.numAffectedRows ?? 0n) > 0n;
}

/** Notes that somebody signed in with it. */
export async function touchExternalIdentity(
  db: Kysely<Database>,
  { id, nowMs }: { readonly id: Id<'externalIdentity'>; readonly nowMs: number },
): Promise<void> {
  await sql`
    /* touchExternalIdentity */
    update external_identity set last_used_at = ${new Date(nowMs)} where id = ${uuidFromId(id)}
  `.execute(db);
}

/** Unlinks one identity. */
export async function deleteExternalIdentity(
  tx: Transaction<Database>,
  id: Id<'externalIdentity'>,
): Promise<void> {
  await sql`
    /* deleteExternalIdentity */
    delete from external_identity where id = ${uuidFromId(id)}
  `.execute(tx);
}

/** Unlinks all that an account has: it is being deleted. */
export async function deleteExternalIdentitiesOf(tx: Transaction<Database>, userId: UserId): Promise<void> {
  await sql`
    /* deleteExternalIdentitiesOf */
    delete from external_identity where user_id = ${uuidFromId(userId)}
  `.execute(tx);
}
