import type { Kysely } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { type AccountRow, selectAccounts } from '../../db/user.ts';
import type { UserId } from '../../lib/ids.ts';
import { sealContext } from '../../privacy/context.ts';
import { open } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { PlatformRole } from '../viewer.ts';

/** Somebody who signs in, readable. Times are milliseconds since the Unix epoch. */
export interface Account {
  readonly id: UserId;
  readonly email: string;
  readonly emailVerified: boolean;
  /** Null when none was given. */
  readonly displayName: string | null;
  readonly platformRole: PlatformRole;
  readonly createdAt: number;
  readonly hasPassword: boolean;
}

interface AccountDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
}

/** The accounts with these ids; deleted and unknown ones are left out. */
export async function loadAccounts(deps: AccountDeps, ids: readonly UserId[]): Promise<readonly Account[]> {
  return openAccounts(deps, await selectAccounts(deps.db, ids));
}

/** What is sealed of these accounts, opened. Those whose key is gone are left out: nobody can know them any more. */
export async function openAccounts(
  { vault }: Pick<AccountDeps, 'vault'>,
  rows: readonly AccountRow[],
): Promise<readonly Account[]> {
  const ids = rows.map(({ id }) => id);
  const keys = await vault.dataKeys(ids, { create: false });
  return rows.flatMap((row) => {
    const key = keys.get(row.id);
    if (key === undefined) return [];
    const { id, emailVerified, platformRole, createdAt } = row;
    const displayName =
      row.displayName === null ? null : open(key, sealContext.userName(id), row.displayName).toString('utf8');
    return [
      {
        id,
        email: open(key, sealContext.userEmail(id), row.email).toString('utf8'),
        emailVerified,
        displayName,
        platformRole,
        createdAt,
        hasPassword: row.passwordHash !== null,
      },
    ];
  });
}
