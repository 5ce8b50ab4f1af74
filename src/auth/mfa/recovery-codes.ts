import { randomBytes } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { replaceRecoveryCodes, takeRecoveryCode } from '../../db/recovery-code.ts';
import { base32 } from '../../lib/base32.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UserId } from '../../lib/ids.ts';
import { sha256 } from '../../lib/sha256.ts';

/** How many codes a user gets at a time. */
export const RECOVERY_CODES = 10;
/** 128 bits: nobody guesses one, and so an unsalted fast hash is enough (ASVS 6.5.2 asks for 112). */
const CODE_BYTES = 16;
/** What such a code is, once written without what people put in between. */
const CODE = /^[a-z2-7]{26}$/;

/**
 * Gives the user ten new recovery codes; all earlier ones stop working. They are returned here and never again: only their
 * hashes are kept.
 */
export async function makeRecoveryCodes(
  deps: { readonly clock: Clock },
  tx: Transaction<Database>,
  userId: UserId,
): Promise<readonly string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () => base32(randomBytes(CODE_BYTES)));
  await replaceRecoveryCodes(tx, { userId, hashes: codes.map(hashOf), nowMs: deps.clock.nowMs() });
  return codes.map((code) => code.match(/.{1,5}/g)?.join('-') ?? code);
}

/** Uses up one of the user's recovery codes, written in any case and with any spaces and dashes. False: not a valid one. */
export async function spendRecoveryCode(
  db: Kysely<Database>,
  { userId, code }: { readonly userId: UserId; readonly code: string },
): Promise<boolean> {
  const written = code.replaceAll(/[\s-]/g, '').toLowerCase();
  return CODE.test(written) && (await takeRecoveryCode(db, { userId, hash: hashOf(written) }));
}

function hashOf(code: string): Buffer {
  return sha256(`recovery code\n${code}`);
}
