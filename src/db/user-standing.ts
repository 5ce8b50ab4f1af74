import { type Kysely, sql, type Transaction } from 'kysely';
import type { PlatformRole } from '../auth/viewer.ts';
import { idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** Where somebody stands on the installation. */
export interface UserStanding {
  readonly id: UserId;
  readonly platformRole: PlatformRole;
  readonly emailVerified: boolean;
  readonly emailHash: Buffer | null;
  readonly disabled: boolean;
}

/** A user as administrators see them. Times are milliseconds since the Unix epoch; what is sealed is as stored. */
export interface UserRow {
  readonly id: UserId;
  readonly platformRole: PlatformRole;
  readonly email: Buffer | null;
  readonly displayName: Buffer | null;
  readonly emailVerified: boolean;
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

/** Which users to list. Null: whatever it is. */
export interface UserFilter {
  readonly platformRole: PlatformRole | null;
  readonly disabled: boolean | null;
  readonly emailHash: Buffer | null;
}

/** Locks the user's row: what hangs on their standing or on the number of their channels takes it before any channel's. Undefined for nobody, and who was deleted. */
export async function lockUser(tx: Transaction<Database>, userId: UserId): Promise<UserStanding | undefined> {
  const result = await sql<{
    platform_role: PlatformRole;
    verified: boolean;
    email_hash: Buffer | null;
    disabled: boolean;
  }>`
    /* lockUser */
    select platform_role, email_verified_at is not null as verified, email_hash, disabled_at is not null as disabled
    from app_user where id = ${uuidFromId(userId)} and deleted_at is null for no key update
  `.execute(tx);
  const row = result.rows[0];
  if (row === undefined) return undefined;
  return {
    id: userId,
    platformRole: row.platform_role,
    emailVerified: row.verified,
    emailHash: row.email_hash,
    disabled: row.disabled,
  };
}

/**
 * Locks the rows of all administrators who can sign in, in the order of their ids, and returns them. Every change that could
 * make them fewer takes these locks before any other, so that such changes happen one after the other.
 */
export async function lockAdmins(tx: Transaction<Database>): Promise<ReadonlySet<UserId>> {
  const result = await sql<{ id: string }>`
    /* lockAdmins */
    select id from app_user where platform_role = 'ADMIN' and disabled_at is null and deleted_at is null
    order by id for no key update
  `.execute(tx);
  return new Set(result.rows.map(({ id }) => idFromUuid('user', id)));
}

/** Whether the user is there and can sign in. */
export async function isActiveUser(db: Kysely<Database>, userId: UserId): Promise<boolean> {
  const result = await sql`
    /* isActiveUser */
    select 1 from app_user where id = ${uuidFromId(userId)} and disabled_at is null and deleted_at is null
  `.execute(db);
  return result.rows.length === 1;
}

/** Sets what somebody is on the installation. Needs the locks of `lockAdmins` and of the user. */
export async function updatePlatformRole(
  tx: Transaction<Database>,
  user: { readonly id: UserId; readonly platformRole: PlatformRole },
): Promise<void> {
  await sql`
    /* updatePlatformRole */
    update app_user set platform_role = ${user.platformRole} where id = ${uuidFromId(user.id)}
  `.execute(tx);
}

/** Lets somebody in no more since then, or again (null). Needs the locks of `lockAdmins` and of the user. */
export async function updateUserDisabled(
  tx: Transaction<Database>,
  user: { readonly id: UserId; readonly disabledAt: number | null },
): Promise<void> {
  const at = user.disabledAt === null ? sql`null` : sql`to_timestamp(${user.disabledAt}::float8 / 1000)`;
  await sql`
    /* updateUserDisabled */
    update app_user set disabled_at = ${at} where id = ${uuidFromId(user.id)}
  `.execute(tx);
}

interface RawUser {
  id: string;
  platform_role: PlatformRole;
  email: Buffer | null;
  display_name: Buffer | null;
  verified: boolean;
  created_ms: number;
  disabled_ms: number | null;
}

const columns = sql`id, platform_role, email, display_name, email_verified_at is not null as verified,
  (extract(epoch from created_at) * 1000)::float8 as created_ms,
  (extract(epoch from disabled_at) * 1000)::float8 as disabled_ms`;

function userOf(row: RawUser): UserRow {
  return {
    id: idFromUuid('user', row.id),
    platformRole: row.platform_role,
    email: row.email,
    displayName: row.display_name,
    emailVerified: row.verified,
    createdAt: Math.floor(row.created_ms),
    disabledAt: row.disabled_ms === null ? null : Math.floor(row.disabled_ms),
  };
}

/** Users in the order in which they came, `limit` of them after `afterId`; who was deleted is left out. */
export async function selectUserPage(
  db: Kysely<Database>,
  page: { readonly filter: UserFilter; readonly afterId: UserId | null; readonly limit: number },
): Promise<readonly UserRow[]> {
  const { platformRole, disabled, emailHash } = page.filter;
  const conditions = [sql`deleted_at is null`];
  if (page.afterId !== null) conditions.push(sql`id > ${uuidFromId(page.afterId)}::uuid`);
  if (platformRole !== null) conditions.push(sql`platform_role = ${platformRole}`);
  if (disabled !== null) conditions.push(sql`(disabled_at is not null) = ${disabled}`);
  if (emailHash !== null) conditions.push(sql`email_hash = ${emailHash}`);
  const result = await sql<RawUser>`
    /* selectUserPage */
    select ${columns} from app_user where ${sql.join(conditions, sql` and `)} order by id limit ${page.limit}
  `.execute(db);
  return result.rows.map(userOf);
}

/** One user, as `selectUserPage` has them. */
export async function selectUserRow(db: Kysely<Database>, id: UserId): Promise<UserRow | undefined> {
  const result = await sql<RawUser>`
    /* selectUserRow */
    select ${columns} from app_user where id = ${uuidFromId(id)} and deleted_at is null
  `.execute(db);
  return result.rows.map(userOf)[0];
}
