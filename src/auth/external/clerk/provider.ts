import { type ClerkClient, createClerkClient, verifyToken } from '@clerk/backend';
import {
  isClerkAPIResponseError,
  TokenVerificationError,
  TokenVerificationErrorReason,
} from '@clerk/backend/errors';
import { verifyWebhook } from '@clerk/backend/webhooks';
import { z } from 'zod';
import { sha256 } from '../../../lib/sha256.ts';
import { ExternalProviderUnavailableError, ExternalSignInRefusedError } from '../errors.ts';
import type { ExternalProfile, ProvenIdentity } from '../proof.ts';
import type { ClerkSettings } from './settings.ts';

/** How long Clerk may take for an answer, in milliseconds. */
const TIMEOUT_MS = 5_000;
/** By how much Clerk's clock and ours may differ, in milliseconds. */
const CLOCK_SKEW_MS = 5_000;
/** A session token is exchanged at once: an older one is refused even if it lasts longer, in milliseconds. Clerk's last 60 s. */
export const TOKEN_AGE_MAX_MS = 2 * 60_000;
/** Characters of a session token: Clerk's have some 800, with claims that somebody added up to what a cookie holds. */
const TOKEN_LENGTH_MAX = 8_192;

/** What a session token must say, besides what the SDK looks at. */
const CLAIMS = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(255),
  /** Tokens for machines and from templates have none. */
  sid: z.string().min(1).max(255),
  azp: z.string(),
  iat: z.number(),
  exp: z.number(),
  /** Older tokens say nothing; `pending` is who has not finished signing in. */
  sts: z.literal('active').optional(),
  /** Somebody of the staff poses as them. */
  act: z.undefined().optional(),
});

/** Somebody whom a session token proves, and what makes it good for one use. */
export interface ClerkProof extends ProvenIdentity {
  readonly sessionId: string;
  readonly tokenHash: Buffer;
  readonly expiresAtMs: number;
}

/** What is read of a webhook. */
export interface ClerkEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A Clerk application. */
export interface ClerkProvider {
  readonly name: 'clerk';
  readonly title: string;
  readonly issuer: string;
  readonly publishableKey: string | null;
  readonly opensAccounts: boolean;
  /** Whether webhooks are taken. */
  readonly takesWebhooks: boolean;
  /** @throws ExternalSignInRefusedError, ExternalProviderUnavailableError */
  verify(token: string, nowMs: number): Promise<ClerkProof>;
  /** The event of a webhook that Clerk signed within the last five minutes; null for any other. */
  readWebhook(request: Request): Promise<ClerkEvent | null>;
}

/** The Clerk application behind these settings. */
export function createClerkProvider(settings: ClerkSettings): ClerkProvider {
  const { issuer, publishableKey, opensAccounts, apiUrl, secretKey, webhookSecret } = settings;
  const client = createClerkClient({ secretKey, apiUrl, telemetry: { disabled: true } });
  return {
    name: 'clerk',
    title: 'Clerk',
    issuer,
    publishableKey,
    opensAccounts,
    takesWebhooks: webhookSecret !== null,
    verify: async (token, nowMs) => {
      const { sub, sid, exp, iat, azp } = await claimsOf(settings, token);
      if (!settings.authorizedParties.includes(azp)) throw new ExternalSignInRefusedError('azp');
      if (iat * 1_000 < nowMs - TOKEN_AGE_MAX_MS)
        throw new ExternalSignInRefusedError('the token is not fresh');
      return {
        issuer,
        subject: sub,
        sessionId: sid,
        opensAccounts,
        profile: () => profileOf(client, sub),
        tokenHash: tokenHash(token),
        expiresAtMs: exp * 1_000 + CLOCK_SKEW_MS,
      };
    },
    readWebhook: async (request) => (webhookSecret === null ? null : readEvent(request, webhookSecret)),
  };
}

async function claimsOf(settings: ClerkSettings, token: string): Promise<z.infer<typeof CLAIMS>> {
  const { issuer, jwtKey, secretKey, apiUrl, authorizedParties } = settings;
  if (token.length > TOKEN_LENGTH_MAX) throw new ExternalSignInRefusedError('the token is too long');
  try {
    const payload = await withTimeout(
      verifyToken(token, {
        ...(jwtKey === null ? { secretKey, apiUrl } : { jwtKey }),
        authorizedParties: [...authorizedParties],
        issuer,
        clockSkewInMs: CLOCK_SKEW_MS,
      }),
    );
    const claims = CLAIMS.parse(payload);
    // The SDK looks at the issuer in some ways of verifying and not in others.
    if (claims.iss !== issuer) throw new Error('iss');
    return claims;
  } catch (error) {
    throw isKeyFailure(error)
      ? new ExternalProviderUnavailableError(error)
      : new ExternalSignInRefusedError(error);
  }
}

/**
 * What a token is known by once it was used: the text that is signed. Its signature can be written in several ways (the last letter
 * of base64 has bits to spare), and so could the whole token.
 */
function tokenHash(token: string): Buffer {
  return sha256(token.slice(0, token.lastIndexOf('.')));
}

/** Whether Clerk did not give its keys. A token that names a key which Clerk does not have is a bad token. */
function isKeyFailure(error: unknown): boolean {
  if (error instanceof TokenVerificationError) {
    const { RemoteJWKFailedToLoad, InvalidSecretKey } = TokenVerificationErrorReason;
    return error.reason === RemoteJWKFailedToLoad || error.reason === InvalidSecretKey;
  }
  return error instanceof TimeoutError || (error instanceof TypeError && error.message === 'fetch failed');
}

/** What Clerk says of somebody: the primary address, and whether it has seen that they read it. */
async function profileOf(client: ClerkClient, userId: string): Promise<ExternalProfile> {
  try {
    const user = await withTimeout(client.users.getUser(userId));
    if (user.banned || user.locked) throw new ExternalSignInRefusedError('banned or locked at Clerk');
    const primary = user.emailAddresses.find(({ id }) => id === user.primaryEmailAddressId);
    return {
      email: primary?.emailAddress ?? null,
      emailVerified: primary?.verification?.status === 'verified',
      displayName: user.fullName,
    };
  } catch (error) {
    if (error instanceof ExternalSignInRefusedError) throw error;
    if (isClerkAPIResponseError(error) && error.status === 404) throw new ExternalSignInRefusedError(error);
    throw new ExternalProviderUnavailableError(error);
  }
}

const EVENT = z.object({
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});

async function readEvent(request: Request, signingSecret: string): Promise<ClerkEvent | null> {
  const id = request.headers.get('svix-id')?.trim() ?? '';
  try {
    const event = EVENT.parse(await verifyWebhook(request, { signingSecret }));
    return { id, type: event.type, data: event.data };
  } catch {
    // Whatever is wrong with it: nobody who may know asks.
    return null;
  }
}

class TimeoutError extends Error {}

/** The SDK waits for as long as it takes. */
async function withTimeout<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError('Clerk does not answer')), TIMEOUT_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
