import { timingSafeEqual } from 'node:crypto';
import * as client from 'openid-client';
import { z } from 'zod';
import { rememberOnce } from '../../../db/external-memory.ts';
import { parseId, type SignInId, type UserId } from '../../../lib/ids.ts';
import { sha256 } from '../../../lib/sha256.ts';
import { SealBrokenError } from '../../../privacy/envelope.ts';
import { createInstallationSeal } from '../../../privacy/installation-seal.ts';
import type { MasterKey } from '../../../privacy/master-key.ts';
import type { ExternalDeps } from '../deps.ts';
import { ExternalProviderUnknownError, ExternalSignInRefusedError } from '../errors.ts';
import type { ProvenIdentity } from '../proof.ts';
import type { OidcBinding, OidcProvider } from './provider.ts';

/** How long somebody may take at the provider, in seconds. */
export const FLOW_SECONDS = 10 * 60;
/** A sealed flow is some 900 characters; browsers keep 4,096 of a cookie. */
const COOKIE_LENGTH_MAX = 4_000;

/** Somebody signed in, and in which sign-in. */
export interface FlowHolder {
  readonly userId: UserId;
  readonly signInId: SignInId;
}

/** A sign-in at a provider that has begun. It lies sealed in a cookie of the browser that began it, and nowhere else. */
export interface OidcFlow extends OidcBinding {
  readonly provider: string;
  /** Where the browser goes afterwards. @see parseReturnPath */
  readonly returnTo: string;
  readonly expiresAtMs: number;
  /** Who links; null: it signs in. */
  readonly link: FlowHolder | null;
  /** The sign-in that the browser was in as it began, and that a new one takes the place of: its cookie comes back with nobody. */
  readonly replaces: FlowHolder | null;
}

const HOLDER = z.object({ userId: z.string(), signInId: z.string() }).transform((holder, context) => {
  const userId = parseId('user', holder.userId);
  const signInId = parseId('signIn', holder.signInId);
  if (userId !== undefined && signInId !== undefined) return { userId, signInId };
  context.addIssue({ code: 'custom', message: 'no ids' });
  return z.NEVER;
});

const FLOW = z.object({
  provider: z.string(),
  state: z.string().min(40),
  nonce: z.string().min(40),
  codeVerifier: z.string().min(40),
  returnTo: z.string(),
  expiresAtMs: z.number(),
  link: HOLDER.nullable(),
  replaces: HOLDER.nullable(),
});
const CONTEXT = 'oidc flow';

/**
 * Begins a sign-in: where the browser goes, and the cookie it takes along.
 * @throws ExternalProviderUnknownError, ExternalProviderUnavailableError
 */
export async function beginFlow(
  deps: ExternalDeps,
  request: {
    readonly provider: string;
    readonly returnTo: string;
    readonly link: FlowHolder | null;
    readonly replaces: FlowHolder | null;
  },
): Promise<{ readonly url: URL; readonly cookie: string }> {
  const provider = providerOf(deps, request.provider);
  const flow: OidcFlow = {
    ...request,
    state: client.randomState(),
    nonce: client.randomNonce(),
    codeVerifier: client.randomPKCECodeVerifier(),
    expiresAtMs: deps.clock.nowMs() + FLOW_SECONDS * 1_000,
  };
  const url = await provider.authorizationUrl(flow, callbackUrl(deps.publicUrl, provider.name));
  return { url, cookie: sealFlow(deps.masterKey, flow) };
}

/**
 * The flow that a browser comes back with: of this provider, begun in this very browser, not too old. Anything else is refused, and
 * nothing is used up by it.
 * @throws ExternalSignInRefusedError
 */
export function resumeFlow(
  deps: Pick<ExternalDeps, 'masterKey' | 'clock'>,
  came: { readonly provider: string; readonly cookie: string | null; readonly state: string | null },
): OidcFlow {
  const flow = came.cookie === null ? undefined : openFlow(deps.masterKey, came.cookie);
  if (flow === undefined) throw new ExternalSignInRefusedError('no flow was begun in this browser');
  if (flow.provider !== came.provider)
    throw new ExternalSignInRefusedError('the flow is of another provider');
  if (flow.expiresAtMs <= deps.clock.nowMs()) throw new ExternalSignInRefusedError('the flow is too old');
  if (!timingSafeEqual(sha256(came.state ?? ''), sha256(flow.state))) {
    throw new ExternalSignInRefusedError('the state is of another flow');
  }
  return flow;
}

/**
 * Who has signed in at the provider. A flow is finished once, whatever comes of it.
 * @throws ExternalSignInRefusedError, ExternalSignInCancelledError, ExternalProviderUnavailableError, ExternalProviderUnknownError
 */
export async function finishFlow(
  deps: ExternalDeps,
  flow: OidcFlow,
  search: string,
): Promise<ProvenIdentity> {
  const provider = providerOf(deps, flow.provider);
  const isFirst = await rememberOnce(deps.db, {
    kind: 'OIDC_FLOW',
    keyHash: sha256(flow.state),
    expiresAtMs: flow.expiresAtMs,
  });
  if (!isFirst) throw new ExternalSignInRefusedError('the flow was finished before');
  // Ours, not as the request names it: the Host header is the client's word.
  return provider.redeem(flow, new URL(`${callbackUrl(deps.publicUrl, provider.name)}${search}`));
}

/** Where providers send browsers back to: an address for each, so that none can answer for another. */
export function callbackUrl(publicUrl: string, provider: string): string {
  return `${publicUrl}/auth/oidc/${provider}/callback`;
}

function providerOf({ externalProviders }: ExternalDeps, name: string): OidcProvider {
  const provider = externalProviders.oidc.get(name);
  if (provider === undefined) throw new ExternalProviderUnknownError();
  return provider;
}

function sealFlow(masterKey: MasterKey, flow: OidcFlow): string {
  const text = Buffer.from(JSON.stringify(flow));
  return createInstallationSeal(masterKey, CONTEXT).seal(CONTEXT, text).toString('base64url');
}

/** Undefined for what we did not seal. */
function openFlow(masterKey: MasterKey, cookie: string): OidcFlow | undefined {
  if (cookie.length > COOKIE_LENGTH_MAX) return undefined;
  try {
    const text = createInstallationSeal(masterKey, CONTEXT).open(CONTEXT, Buffer.from(cookie, 'base64url'));
    return FLOW.parse(JSON.parse(text.toString('utf8')));
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined;
    throw error;
  }
}
