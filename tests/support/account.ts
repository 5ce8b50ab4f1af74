import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../src/db/connect.ts';
import { newId, type UserId, uuidFromId } from '../../src/lib/ids.ts';
import type { Vault } from '../../src/privacy/vault.ts';

/** A user with nothing but an id, a data key and a role: for tests of what users have, not of how they come to be. */
export async function insertBareUser(
  { db, vault }: { readonly db: Kysely<Database>; readonly vault: Vault },
  { role = 'USER' }: { readonly role?: 'USER' | 'ADMIN' | 'COMPLIANCE' } = {},
): Promise<UserId> {
  const userId = newId('user', 1_700_000_000_000);
  await sql`insert into app_user (id, platform_role, email_verified_at) values (${uuidFromId(userId)}, ${role}, now())`.execute(
    db,
  );
  await vault.dataKeys([userId], { create: true });
  return userId;
}

/** Gives the user an authenticator app that nobody holds: for tests of sign-ins that have shown a factor. */
export async function insertBareFactor(db: Kysely<Database>, userId: UserId): Promise<void> {
  await sql`insert into totp_factor (user_id, secret, created_at, confirmed_at)
    values (${uuidFromId(userId)}, ''::bytea, now(), now())`.execute(db);
}
