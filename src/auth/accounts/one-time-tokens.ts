import { randomBytes } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import {
  type OneTimeTokenKind,
  type OneTimeTokenRow,
  replaceOneTimeToken,
  takeOneTimeToken,
} from '../../db/one-time-token.ts';
import type { UserId } from '../../lib/ids.ts';
import { sha256 } from '../../lib/sha256.ts';
import { TokenInvalidError } from './account-errors.ts';

/** How long each kind is good for, in milliseconds. */
const LIFETIME_MS: Readonly<Record<OneTimeTokenKind, number>> = {
  SETUP: 24 * 60 * 60_000,
  EMAIL_VERIFICATION: 24 * 60 * 60_000,
  PASSWORD_RESET: 30 * 60_000,
  EMAIL_CHANGE: 24 * 60 * 60_000,
};

/** 128 random bits in base64url: an unkeyed hash is enough to keep. */
const TOKEN_BYTES = 16;
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{22}$/;

/** Makes a token, in place of an earlier one of the same kind and user. It is kept nowhere. */
export async function issueOneTimeToken(
  tx: Transaction<Database>,
  request: {
    readonly kind: OneTimeTokenKind;
    readonly userId: UserId | null;
    readonly email?: Buffer;
    readonly nowMs: number;
  },
): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await replaceOneTimeToken(tx, {
    tokenHash: sha256(token),
    kind: request.kind,
    userId: request.userId,
    email: request.email ?? null,
    nowMs: request.nowMs,
    expiresAt: request.nowMs + LIFETIME_MS[request.kind],
  });
  return token;
}

/** Uses a token up, with the transaction. @throws TokenInvalidError */
export async function useOneTimeToken(
  tx: Transaction<Database>,
  request: { readonly token: string; readonly kind: OneTimeTokenKind; readonly nowMs: number },
): Promise<OneTimeTokenRow> {
  const { token, kind, nowMs } = request;
  if (!TOKEN_PATTERN.test(token)) throw new TokenInvalidError();
  const row = await takeOneTimeToken(tx, { tokenHash: sha256(token), kind, nowMs });
  if (row === undefined) throw new TokenInvalidError();
  return row;
}

/** The same, of a kind that belongs to somebody. @throws TokenInvalidError */
export async function useTokenOfUser(
  tx: Transaction<Database>,
  request: {
    readonly token: string;
    readonly kind: Exclude<OneTimeTokenKind, 'SETUP'>;
    readonly nowMs: number;
  },
): Promise<OneTimeTokenRow & { readonly userId: UserId }> {
  const row = await useOneTimeToken(tx, request);
  if (row.userId === null) throw new TokenInvalidError();
  return { ...row, userId: row.userId };
}
