import type { Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { insertAccount } from '../../db/user.ts';
import { InvalidInputError } from '../../errors/invalid-input.ts';
import type { UserId } from '../../lib/ids.ts';
import { NAME_CHARACTERS_MAX, parsedName } from '../../lib/name.ts';
import { sealContext } from '../../privacy/context.ts';
import { seal } from '../../privacy/envelope.ts';
import { madeKey } from '../../privacy/vault.ts';
import type { PlatformRole } from '../viewer.ts';
import type { AccountDeps } from './deps.ts';
import { emailHash } from './email-address.ts';

/** An account as it is made. */
export interface NewAccountRequest {
  readonly id: UserId;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly displayName: string | null;
  /** Null: signs in with an identity from elsewhere. */
  readonly passwordHash: string | null;
  readonly platformRole: PlatformRole;
}

/** Seals and stores an account, with a data key of its own. False when the address has one already. */
export async function storeAccount(
  deps: Pick<AccountDeps, 'vault' | 'masterKey' | 'clock'>,
  tx: Transaction<Database>,
  account: NewAccountRequest,
): Promise<boolean> {
  const { id, email, displayName, emailVerified, passwordHash, platformRole } = account;
  const key = await madeKey(deps.vault, id, tx);
  return insertAccount(tx, {
    id,
    emailHash: emailHash(deps.masterKey, email),
    email: seal(key, sealContext.userEmail(id), email),
    displayName: displayName === null ? null : seal(key, sealContext.userName(id), displayName),
    passwordHash,
    platformRole,
    emailVerified,
    nowMs: deps.clock.nowMs(),
  });
}

/** A name as somebody gave it; null when they gave none. @throws InvalidInputError */
export function parseDisplayName(text: string | null): string | null {
  if (text === null || text.trim() === '') return null;
  const name = parsedName(text);
  if (name !== null) return name;
  const message = `displayName must have at most ${NAME_CHARACTERS_MAX} readable characters on one line.`;
  throw new InvalidInputError([{ path: ['displayName'], code: 'OUT_OF_RANGE', message }]);
}
