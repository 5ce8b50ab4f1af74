import { type Kysely, sql, type Transaction } from 'kysely';
import type { PlatformRole } from '../auth/viewer.ts';
import { idFromUuid, type UserId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** An account as stored. Times are milliseconds since the Unix epoch. Deleted accounts are never read. */
export interface AccountRow {
  readonly id: UserId;
  /** Sealed under the user's key. */
  readonly email: Buffer;
  /** Sealed under the user's key; null: none given. */
  readonly displayName: Buffer | null;
  readonly emailVerified: boolean;
  /** Argon2id in PHC form; null: signs in by another identity. */
  readonly passwordHash: string | null;
  readonly platformRole: PlatformRole;
  readonly createdAt: number;
  readonly disabled: boolean;
}

interface RawAccount {
  id: string;
  email: Buffer;
  display_name: Buffer | null;
  email_verified: boolean;
  password_hash: string | null;
  platform_role: PlatformRole;
  created_at: Date;
  disabled: boolean;
}

const columns = sql`
  id, email, display_name, email_verified_at is not null as email_verified, password_hash, platform_role, created_at,
  disabled_at is not null as disabled`;

function accountOf(row: RawAccount): AccountRow {
  return {
    id: idFromUuid('user', row.id),
    email: row.email,
    displayName: row.display_name,
    emailVerified: row.email_verified,
    passwordHash: row.password_hash,
    platformRole: row.platform_role,
    createdAt: row.created_at.getTime(),
    disabled: row.disabled,
  };
}

/** The account with this keyed hash of its e-mail address, or undefined. */
export async function selectAccountByEmail(
  db: Kysely<Database>,
  emailHash: Buffer,
): Promise<AccountRow | undefined> {
  const result = await sql<RawAccount>`
    /* selectAccountByEmail */
    select ${columns} from app_user where email_hash = ${emailHash} and deleted_at is null
  `.execute(db);
  return result.rows.map(accountOf)[0];
}

/** The accounts with these ids, in no particular order. */
export async function selectAccounts(
  db: Kysely<Database>,
  ids: readonly UserId[],
): Promise<readonly AccountRow[]> {
  const result = await sql<RawAccount>`
    /* selectAccounts */
    select ${columns} from app_user
    where id = any(${ids.map(uuidFromId)}::uuid[]) and email is not null and deleted_at is null
  `.execute(db);
  return result.rows.map(accountOf);
}

export interface NewAccount {
  readonly id: UserId;
  readonly emailHash: Buffer;
  readonly email: Buffer;
  readonly displayName: Buffer | null;
  readonly passwordHash: string | null;
  readonly platformRole: PlatformRole;
  readonly emailVerified: boolean;
  readonly nowMs: number;
}

/** Stores an account. False when the address has one already; nothing is changed then. */
export async function insertAccount(tx: Transaction<Database>, account: NewAccount): Promise<boolean> {
  const now = new Date(account.nowMs);
  const result = await sql`
    /* insertAccount */
    insert into app_user (id, email_hash, email, email_verified_at, display_name, password_hash, platform_role, created_at)
    values (${uuidFromId(account.id)}, ${account.emailHash}, ${account.email}, ${account.emailVerified ? now : null},
      ${account.displayName}, ${account.passwordHash}, ${account.platformRole}, ${now})
    on conflict (email_hash) do nothing
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Whether the installation has an administrator. Once it has, one always stays. */
export async function anyAdmin(db: Kysely<Database>): Promise<boolean> {
  const result = await sql`
    /* anyAdmin */
    select 1 from app_user where platform_role = 'ADMIN' and deleted_at is null limit 1
  `.execute(db);
  return result.rows.length > 0;
}

/** Makes somebody the owner of every channel that has none. */
export async function adoptOwnerlessChannels(tx: Transaction<Database>, userId: UserId): Promise<void> {
  await sql`
    /* adoptOwnerlessChannels */
    insert into channel_member (channel_id, user_id, role)
    select id, ${uuidFromId(userId)}::uuid, 'OWNER' from channel
    where not exists (select from channel_member m where m.channel_id = channel.id and m.role = 'OWNER')
    on conflict (channel_id, user_id) do update set role = 'OWNER'
  `.execute(tx);
}

/** Marks the address as one that its holder reads. */
export async function updateEmailVerified(
  tx: Transaction<Database>,
  { id, nowMs }: { readonly id: UserId; readonly nowMs: number },
): Promise<void> {
  await sql`
    /* updateEmailVerified */
    update app_user set email_verified_at = coalesce(email_verified_at, ${new Date(nowMs)}) where id = ${uuidFromId(id)}
  `.execute(tx);
}

/** Gives somebody another address, which they have shown to read. False when somebody else has it. */
export async function updateEmail(
  tx: Transaction<Database>,
  change: {
    readonly id: UserId;
    readonly emailHash: Buffer;
    readonly email: Buffer;
    readonly nowMs: number;
  },
): Promise<boolean> {
  const result = await sql`
    /* updateEmail */
    update app_user set email_hash = ${change.emailHash}, email = ${change.email}, email_verified_at = ${new Date(change.nowMs)}
    where id = ${uuidFromId(change.id)} and deleted_at is null
      and not exists (select from app_user other where other.email_hash = ${change.emailHash} and other.id <> app_user.id)
  `.execute(tx);
  return result.numAffectedRows === 1n;
}

/** Replaces the password's hash; with `from` (null: none), only when it still is that one. False when nothing was. */
export async function updatePasswordHash(
  db: Kysely<Database>,
  change: { readonly id: UserId; readonly from?: string | null; readonly to: string },
): Promise<boolean> {
  const unchanged =
    change.from === undefined ? sql`true` : sql`password_hash is not distinct from ${change.from}::text`;
  const result = await sql`
    /* updatePasswordHash */
    update app_user set password_hash = ${change.to} where id = ${uuidFromId(change.id)} and ${unchanged}
  `.execute(db);
  return result.numAffectedRows === 1n;
}

/** Takes from the row all that names its holder. What else names them is sealed under the key that goes with it. */
export async function eraseAccount(
  tx: Transaction<Database>,
  { id, nowMs }: { readonly id: UserId; readonly nowMs: number },
): Promise<void> {
  await sql`
    /* eraseAccount */
    update app_user set email_hash = null, email = null, display_name = null, password_hash = null,
      platform_role = 'USER', deleted_at = ${new Date(nowMs)}
    where id = ${uuidFromId(id)}
  `.execute(tx);
}
