import type { UserId } from '../../lib/ids.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import {
  type AccessClaims,
  type IssuedAccessToken,
  issueAccessToken,
  type TokenGrant,
  verifyAccessToken,
} from './access-token.ts';
import { createSigningKeys, type PublicJwk } from './signing-keys.ts';
import {
  createTokenFamily,
  exchangeRefreshToken,
  type IssuedRefreshToken,
  listTokenFamilies,
  revokeFamilies,
  sweepTokenFamilies,
  type TokenFamily,
  type TokenFamilyDeps,
  type TokenFamilyId,
} from './token-families.ts';

/** Tokens for programs and for WebSockets. */
export interface Tokens {
  /** An access token that stands on a session or a family, and falls with it. Unless said otherwise it lasts 5 minutes. */
  issue(request: {
    readonly userId: UserId;
    readonly grant: TokenGrant;
    readonly seconds?: number;
  }): Promise<IssuedAccessToken>;
  /** What a good access token says; null for every other text. */
  verify(token: string): Promise<AccessClaims | null>;
  /** Begins a family of refresh tokens for one program. */
  create(request: {
    readonly userId: UserId;
    readonly name: string;
    readonly mfaAt: number | null;
  }): Promise<IssuedRefreshToken>;
  /** @see exchangeRefreshToken @throws RefreshTokenInvalidError, RefreshTokenRotatedError */
  exchange(refreshToken: string): Promise<IssuedRefreshToken>;
  /** The user's families that are good, newest first. */
  list(userId: UserId): Promise<readonly TokenFamily[]>;
  /** Revokes one of the user's families. False when they have no such one. */
  revoke(request: { readonly userId: UserId; readonly id: TokenFamilyId }): Promise<boolean>;
  /** Revokes all families of the user, as after a change of password. Resolves to how many. */
  revokeAll(userId: UserId): Promise<number>;
  /** Removes what has expired. Resolves to how many. */
  sweep(): Promise<number>;
  /** The public keys, as `/.well-known/jwks.json` answers them. */
  published(): Promise<{ readonly keys: readonly PublicJwk[] }>;
}

/** Tokens of this installation. Makes its signing keys when there are none. */
export async function createTokens(
  deps: TokenFamilyDeps & { readonly masterKey: MasterKey; readonly publicUrl: string },
): Promise<Tokens> {
  const keys = await createSigningKeys(deps);
  const signing = { keys, clock: deps.clock, publicUrl: deps.publicUrl };
  return {
    issue: (request) => issueAccessToken(signing, request),
    verify: (token) => verifyAccessToken(signing, token),
    create: (request) => createTokenFamily(deps, request),
    exchange: (refreshToken) => exchangeRefreshToken(deps, refreshToken),
    list: (userId) => listTokenFamilies(deps, userId),
    revoke: async (request) => (await revokeFamilies(deps, request)) > 0,
    revokeAll: (userId) => revokeFamilies(deps, { userId, id: null }),
    sweep: () => sweepTokenFamilies(deps),
    published: () => keys.published(),
  };
}
