import { ACCESS_TOKEN_SECONDS, type TokenGrant } from '../auth/tokens/access-token.ts';
import {
  RefreshTokenInvalidError,
  RefreshTokenRotatedError,
  SessionRequiredError,
  TokenFamilyNotFoundError,
} from '../auth/tokens/token-errors.ts';
import type { TokenFamily } from '../auth/tokens/token-families.ts';
import type { AppContext } from '../context.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { parseId, type SignInId, type UserId } from '../lib/ids.ts';
import { NAME_CHARACTERS_MAX, parsedName } from '../lib/name.ts';
import { orRefusal, type Refused } from './refusal.ts';
import { userOf } from './sign-in.ts';

/** What a program is given. The tokens are shown this once. */
export interface TokenPair {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: number;
  readonly refreshToken: string;
  readonly family: TokenFamily;
}

/** What a WebSocket is opened with. */
export interface AccessTokenPayload {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: number;
}

const LIFETIME_SECONDS_MIN = 10;

export function tokenFamilies(
  _root: unknown,
  _args: object,
  context: AppContext,
): Promise<readonly TokenFamily[]> {
  return context.services.tokens.list(userOf(context).userId);
}

export function tokenFamilyIsCurrent(family: TokenFamily, _args: object, { viewer }: AppContext): boolean {
  return viewer.kind === 'USER' && viewer.credential.id === family.id;
}

export function tokenCreate(
  _root: unknown,
  { input }: { readonly input: { readonly name: string } },
  context: AppContext,
): Promise<TokenPair | Refused<SessionRequiredError | InvalidInputError>> {
  return orRefusal<TokenPair, SessionRequiredError | InvalidInputError>(async () => {
    const { userId, id } = ownSession(context);
    const name = parsedName(input.name);
    if (name === null) {
      const message = `A name has 1 to ${NAME_CHARACTERS_MAX} readable characters on one line.`;
      throw new InvalidInputError([{ path: ['name'], code: 'OUT_OF_RANGE', message }]);
    }
    const session = await context.services.sessions.find(id);
    if (session === null) throw new SessionRequiredError();
    const { family, refreshToken } = await context.services.tokens.create({
      userId,
      name,
      mfaAt: session.mfaAt,
    });
    // Whoever ended the sign-in meanwhile has ended the tokens of then, and these were not among them.
    if ((await context.services.sessions.find(id)) === null) {
      await context.services.tokens.revoke({ userId, id: family.id });
      throw new SessionRequiredError();
    }
    return { ...(await accessTokenOf(context, { userId, grant: family.id })), refreshToken, family };
  }, [SessionRequiredError, InvalidInputError]);
}

export function accessTokenCreate(
  _root: unknown,
  { input }: { readonly input: { readonly lifetimeSeconds?: number | null | undefined } },
  context: AppContext,
): Promise<AccessTokenPayload | Refused<SessionRequiredError | InvalidInputError>> {
  return orRefusal<AccessTokenPayload, SessionRequiredError | InvalidInputError>(async () => {
    const { userId, id } = ownSession(context);
    const seconds = input.lifetimeSeconds ?? ACCESS_TOKEN_SECONDS;
    if (seconds < LIFETIME_SECONDS_MIN || seconds > ACCESS_TOKEN_SECONDS) {
      const message = `A token lasts ${LIFETIME_SECONDS_MIN} to ${ACCESS_TOKEN_SECONDS} seconds.`;
      throw new InvalidInputError([{ path: ['lifetimeSeconds'], code: 'OUT_OF_RANGE', message }]);
    }
    return accessTokenOf(context, { userId, grant: id, seconds });
  }, [SessionRequiredError, InvalidInputError]);
}

export function tokenRefresh(
  _root: unknown,
  { input }: { readonly input: { readonly refreshToken: string } },
  context: AppContext,
): Promise<TokenPair | Refused<RefreshTokenInvalidError | RefreshTokenRotatedError>> {
  return orRefusal<TokenPair, RefreshTokenInvalidError | RefreshTokenRotatedError>(async () => {
    const { family, refreshToken } = await context.services.tokens.exchange(input.refreshToken);
    const grant = { userId: family.userId, grant: family.id };
    return { ...(await accessTokenOf(context, grant)), refreshToken, family };
  }, [RefreshTokenInvalidError, RefreshTokenRotatedError]);
}

export function tokenFamilyRevoke(
  _root: unknown,
  { input }: { readonly input: { readonly tokenFamilyId: string } },
  context: AppContext,
): Promise<{ readonly tokenFamilyId: string } | Refused<TokenFamilyNotFoundError>> {
  return orRefusal(async () => {
    const { userId } = userOf(context);
    const id = parseId('tokenFamily', input.tokenFamilyId);
    if (id === undefined || !(await context.services.tokens.revoke({ userId, id }))) {
      throw new TokenFamilyNotFoundError();
    }
    return { tokenFamilyId: id };
  }, [TokenFamilyNotFoundError]);
}

/** The browser's sign-in that asks. A token, even one made from it, makes no other tokens: it would never end. */
function ownSession(context: AppContext): { readonly userId: UserId; readonly id: SignInId } {
  const { userId, credential } = userOf(context);
  if (credential.kind !== 'SESSION') throw new SessionRequiredError();
  return { userId, id: credential.id };
}

async function accessTokenOf(
  { services }: AppContext,
  request: { readonly userId: UserId; readonly grant: TokenGrant; readonly seconds?: number },
): Promise<AccessTokenPayload> {
  const { token, expiresAtMs } = await services.tokens.issue(request);
  return { accessToken: token, accessTokenExpiresAt: expiresAtMs };
}
