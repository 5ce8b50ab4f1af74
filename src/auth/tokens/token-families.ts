import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import {
  deleteEndedTokenFamilies,
  deleteOldestTokenFamilies,
  insertTokenFamily,
  lockFamilyOfToken,
  replaceRefreshToken,
  revokeTokenFamilies,
  selectRefreshToken,
  selectTokenFamilies,
  type TokenFamilyRow,
} from '../../db/token-family.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Id, newId, type UserId } from '../../lib/ids.ts';
import { sha256 } from '../../lib/sha256.ts';
import { sealContext } from '../../privacy/context.ts';
import { open, seal } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { RefreshTokenInvalidError, RefreshTokenRotatedError } from './token-errors.ts';

export type TokenFamilyId = Id<'tokenFamily'>;

/** However much it is used, a family ends after this long, in milliseconds. */
const TOKEN_FAMILY_MS = 30 * 86_400_000;
/** For this long the token before the good one is a hasty repetition and not a theft, in milliseconds. */
const ROTATION_GRACE_MS = 10_000;
/** Families kept per user; beyond it the one unused for longest goes. */
const FAMILIES_PER_USER_MAX = 50;

/** 256 random bits in base64url behind the prefix. Anything else is not looked up. */
const TOKEN_PATTERN = /^tlr_[A-Za-z0-9_-]{43}$/;

/** What one program holds, as its user sees it. Times are milliseconds since the Unix epoch. */
export interface TokenFamily {
  readonly id: TokenFamilyId;
  readonly userId: UserId;
  /** What its user calls it. */
  readonly name: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
}

/** A refresh token with the family it belongs to. The token is kept nowhere. */
export interface IssuedRefreshToken {
  readonly refreshToken: string;
  readonly family: TokenFamily;
}

/** Told when a refresh token comes back that was exchanged before: it was copied, and its family is revoked by now. */
export type ReuseReport = { readonly userId: UserId; readonly familyId: TokenFamilyId };

export interface TokenFamilyDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly onReuse: (report: ReuseReport) => Promise<void>;
}

/** Begins a family for one program. */
export async function createTokenFamily(
  deps: TokenFamilyDeps,
  request: { readonly userId: UserId; readonly name: string; readonly mfaAt: number | null },
): Promise<IssuedRefreshToken> {
  const nowMs = deps.clock.nowMs();
  const id = newId('tokenFamily', nowMs);
  const refreshToken = newRefreshToken();
  const keys = await deps.vault.dataKeys([request.userId], { create: false });
  const key = keys.get(request.userId);
  const row: TokenFamilyRow = {
    id,
    userId: request.userId,
    name: key === undefined ? null : seal(key, sealContext.tokenFamilyName(id), request.name),
    createdAt: nowMs,
    lastUsedAt: nowMs,
    expiresAt: nowMs + TOKEN_FAMILY_MS,
    mfaAt: request.mfaAt,
    generation: 1,
    revokedAt: null,
  };
  await deps.db.transaction().execute(async (tx) => {
    await insertTokenFamily(tx, { row, tokenHash: sha256(refreshToken) });
    await deleteOldestTokenFamilies(tx, { userId: row.userId, keep: FAMILIES_PER_USER_MAX });
  });
  return { refreshToken, family: await familyOf(deps, row) };
}

type Exchange =
  | { readonly kind: 'EXCHANGED'; readonly refreshToken: string; readonly row: TokenFamilyRow }
  | { readonly kind: 'INVALID' | 'ROTATED' }
  | { readonly kind: 'REUSED'; readonly row: TokenFamilyRow };

/**
 * Exchanges a refresh token for the next one of its family. One that was exchanged before was copied by somebody: the whole
 * family is revoked, which holds although the caller is refused. Only the latest of them is let off for 10 s, with nothing.
 * @throws RefreshTokenInvalidError, RefreshTokenRotatedError
 */
export async function exchangeRefreshToken(
  deps: TokenFamilyDeps,
  token: string,
): Promise<IssuedRefreshToken> {
  if (!TOKEN_PATTERN.test(token)) throw new RefreshTokenInvalidError();
  // The outcome is returned and thrown outside: an error thrown in there would undo the revocation.
  const exchange = await deps.db.transaction().execute(async (tx): Promise<Exchange> => {
    const nowMs = deps.clock.nowMs();
    const tokenHash = sha256(token);
    const row = await lockFamilyOfToken(tx, tokenHash);
    const used = await selectRefreshToken(tx, tokenHash);
    if (row === undefined || used === undefined) return { kind: 'INVALID' };
    if (row.revokedAt !== null || row.expiresAt <= nowMs) return { kind: 'INVALID' };
    if (used.usedAt === null) {
      const refreshToken = newRefreshToken();
      await replaceRefreshToken(tx, { family: row, tokenHash: sha256(refreshToken), nowMs });
      return { kind: 'EXCHANGED', refreshToken, row: { ...row, lastUsedAt: nowMs } };
    }
    const isLatest = used.generation === row.generation - 1;
    if (isLatest && nowMs - used.usedAt <= ROTATION_GRACE_MS) return { kind: 'ROTATED' };
    await revokeTokenFamilies(tx, { userId: row.userId, id: row.id, because: 'REUSE', nowMs });
    return { kind: 'REUSED', row };
  });
  switch (exchange.kind) {
    case 'EXCHANGED':
      return { refreshToken: exchange.refreshToken, family: await familyOf(deps, exchange.row) };
    case 'ROTATED':
      throw new RefreshTokenRotatedError();
    case 'INVALID':
      throw new RefreshTokenInvalidError();
    case 'REUSED':
      await notifyAccessChanged(deps.bus, exchange.row.userId);
      await deps.onReuse({ userId: exchange.row.userId, familyId: exchange.row.id });
      throw new RefreshTokenInvalidError();
  }
}

/** The user's families that are good, newest first. */
export async function listTokenFamilies(
  deps: TokenFamilyDeps,
  userId: UserId,
): Promise<readonly TokenFamily[]> {
  const rows = await selectTokenFamilies(deps.db, { userId, nowMs: deps.clock.nowMs() });
  return Promise.all(rows.map((row) => familyOf(deps, row)));
}

/** Revokes one of the user's families, or all of them. Resolves to how many; tokens of them open nothing from now on. */
export async function revokeFamilies(
  deps: Pick<TokenFamilyDeps, 'db' | 'bus' | 'clock'>,
  request: { readonly userId: UserId; readonly id: TokenFamilyId | null },
): Promise<number> {
  const revoked = await revokeTokenFamilies(deps.db, {
    ...request,
    because: 'USER',
    nowMs: deps.clock.nowMs(),
  });
  if (revoked > 0) await notifyAccessChanged(deps.bus, request.userId);
  return revoked;
}

/** Removes families that have expired. Resolves to how many. */
export function sweepTokenFamilies({ db, clock }: TokenFamilyDeps): Promise<number> {
  return deleteEndedTokenFamilies(db, clock.nowMs());
}

async function familyOf({ vault }: TokenFamilyDeps, row: TokenFamilyRow): Promise<TokenFamily> {
  const key = (await vault.dataKeys([row.userId], { create: false })).get(row.userId);
  return {
    id: row.id,
    userId: row.userId,
    name:
      key === undefined || row.name === null
        ? ''
        : open(key, sealContext.tokenFamilyName(row.id), row.name).toString('utf8'),
    createdAt: row.createdAt,
    lastUsedAt: row.lastUsedAt,
    expiresAt: row.expiresAt,
  };
}

function newRefreshToken(): string {
  return `tlr_${randomBytes(32).toString('base64url')}`;
}
