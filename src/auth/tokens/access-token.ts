import { randomUUID } from 'node:crypto';
import { errors, type JWSHeaderParameters, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../lib/clock.ts';
import { type Id, parseId, type SignInId, type UserId } from '../../lib/ids.ts';
import type { SigningKeys } from './signing-keys.ts';

/** How long an access token is good, in seconds. */
export const ACCESS_TOKEN_SECONDS = 5 * 60;
/** What no token may exceed, whatever it says of itself, in seconds. */
const TOKEN_AGE_MAX_SECONDS = 10 * 60;
/** How far the clocks of our machines may be apart, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 5;

const ALGORITHM = 'EdDSA';
const TYPE = 'at+jwt';
/** Three parts in base64url, the last of them the 64 bytes of an Ed25519 signature. */
const TOKEN_PATTERN = /^eyJ[A-Za-z0-9_-]{1,400}\.eyJ[A-Za-z0-9_-]{1,1200}\.[A-Za-z0-9_-]{86}$/;

/** What an access token stands on: a sign-in session, or a family of refresh tokens. When it ends, the token opens nothing. */
export type TokenGrant = SignInId | Id<'tokenFamily'>;

/** What a good access token says. */
export interface AccessClaims {
  readonly userId: UserId;
  readonly grant: TokenGrant;
  readonly expiresAtMs: number;
}

/** An access token with its end, in milliseconds since the Unix epoch. */
export interface IssuedAccessToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export interface AccessTokenDeps {
  readonly keys: SigningKeys;
  readonly clock: Clock;
  /** Where clients reach us: the issuer, and with the path of the API the audience. */
  readonly publicUrl: string;
}

/** Whether the text has the form of an access token. */
export function isAccessToken(text: string): boolean {
  return TOKEN_PATTERN.test(text);
}

/** Signs a token for a user (RFC 9068). It holds ids and times, nothing that may change meanwhile. */
export async function issueAccessToken(
  { keys, clock, publicUrl }: AccessTokenDeps,
  request: { readonly userId: UserId; readonly grant: TokenGrant; readonly seconds?: number },
): Promise<IssuedAccessToken> {
  const { userId, grant, seconds = ACCESS_TOKEN_SECONDS } = request;
  const issuedAt = Math.floor(clock.nowMs() / 1_000);
  const expiresAt = issuedAt + seconds;
  const { kid, privateKey } = await keys.active();
  const token = await new SignJWT({ sid: grant })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
    .setIssuer(publicUrl)
    .setAudience(audienceOf(publicUrl))
    .setSubject(userId)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(privateKey);
  return { token, expiresAtMs: expiresAt * 1_000 };
}

/** What the token says; null when it is not one of ours, or not any more. Whether its grant still stands is another question. */
export async function verifyAccessToken(
  { keys, clock, publicUrl }: AccessTokenDeps,
  token: string,
): Promise<AccessClaims | null> {
  if (!isAccessToken(token) || !isCanonical(token)) return null;
  try {
    const { payload } = await jwtVerify(token, (header) => keyFor(keys, header), {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: publicUrl,
      audience: audienceOf(publicUrl),
      requiredClaims: ['exp', 'iat', 'jti', 'sub', 'sid'],
      maxTokenAge: TOKEN_AGE_MAX_SECONDS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(clock.nowMs()),
    });
    const { sub, sid, exp } = payload;
    if (typeof sub !== 'string' || typeof sid !== 'string' || exp === undefined) return null;
    const userId = parseId('user', sub);
    const grant = parseId('signIn', sid) ?? parseId('tokenFamily', sid);
    return userId === undefined || grant === undefined ? null : { userId, grant, expiresAtMs: exp * 1_000 };
  } catch (error) {
    // Whatever is wrong with a token, it is refused alike. A database that is away is not the token's fault.
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

/** Only keys of ours, by id. What a token brings along or points at as its key (`jwk`, `jku`, `x5c`, `x5u`) makes it no token. */
async function keyFor(keys: SigningKeys, header: JWSHeaderParameters) {
  const known = ['alg', 'typ', 'kid'];
  const isOurs = Object.keys(header).every((name) => known.includes(name));
  const key = isOurs && typeof header.kid === 'string' ? await keys.verifier(header.kid) : null;
  if (key === null) throw new errors.JWKSNoMatchingKey();
  return key;
}

/** Whether the text is the only one for these bytes: base64url leaves bits unused, and one token must not have many spellings. */
function isCanonical(token: string): boolean {
  return token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}

function audienceOf(publicUrl: string): string {
  return `${publicUrl}/graphql`;
}
