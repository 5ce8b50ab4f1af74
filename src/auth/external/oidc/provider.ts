import * as client from 'openid-client';
import type { Clock } from '../../../lib/clock.ts';
import {
  ExternalProviderUnavailableError,
  ExternalSignInCancelledError,
  ExternalSignInRefusedError,
} from '../errors.ts';
import type { ExternalProfile, ProvenIdentity } from '../proof.ts';
import { ForbiddenPlaceError, guardedFetch, ProviderSilentError } from './guarded-fetch.ts';
import type { OidcSettings } from './settings.ts';

/** How long a provider may take for one answer, in seconds. */
const TIMEOUT_SECONDS = 5;
/** How long a provider's metadata is good, in milliseconds. Its keys are looked at again whenever one is missing. */
const METADATA_MS = 60 * 60_000;
/** Subjects have at most 255 characters. @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken */
const SUBJECT_LENGTH_MAX = 255;

/** What a sign-in at a provider is bound to. */
export interface OidcBinding {
  readonly state: string;
  readonly nonce: string;
  /** PKCE. */
  readonly codeVerifier: string;
}

/** A provider of OpenID Connect. */
export interface OidcProvider {
  readonly name: string;
  readonly title: string;
  readonly issuer: string;
  readonly opensAccounts: boolean;
  /** Where the browser goes to sign in. @throws ExternalProviderUnavailableError */
  authorizationUrl(binding: OidcBinding, redirectUri: string): Promise<URL>;
  /**
   * Who came back. `callback` is the address that the browser came back to, as the provider made it.
   * @throws ExternalSignInRefusedError, ExternalSignInCancelledError, ExternalProviderUnavailableError
   */
  redeem(binding: OidcBinding, callback: URL): Promise<ProvenIdentity>;
}

/** The provider behind these settings. It is asked about itself when somebody first signs in with it, not at the start. */
export function createOidcProvider(settings: OidcSettings, deps: { readonly clock: Clock }): OidcProvider {
  const { name, title, issuer, opensAccounts } = settings;
  const configuration = rememberedConfiguration(settings, deps);
  return {
    name,
    title,
    issuer,
    opensAccounts,
    authorizationUrl: async (binding, redirectUri) => {
      const config = await configuration();
      const parameters = {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(' '),
        state: binding.state,
        nonce: binding.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(binding.codeVerifier),
        code_challenge_method: 'S256',
      };
      try {
        const url = client.buildAuthorizationUrl(config, parameters);
        if (originsOf(settings).has(url.origin)) return url;
        throw new ForbiddenPlaceError('the provider sends browsers to an origin that it may not use');
      } catch (error) {
        // Its metadata names no such place, or none that is an address.
        throw new ExternalProviderUnavailableError(error);
      }
    },
    redeem: async (binding, callback) => {
      const config = await configuration();
      try {
        const tokens = await client.authorizationCodeGrant(config, callback, {
          expectedState: binding.state,
          expectedNonce: binding.nonce,
          pkceCodeVerifier: binding.codeVerifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims();
        const subject = claims?.sub ?? '';
        if (subject === '' || subject.length > SUBJECT_LENGTH_MAX) throw new Error('the subject is unusable');
        const profile = () =>
          profileOf(config, { accessToken: tokens.access_token, subject, claims: { ...claims } });
        return { issuer, subject, sessionId: null, opensAccounts, profile };
      } catch (error) {
        throw asRefusal(error);
      }
    },
  };
}

function originsOf({ issuer, origins }: OidcSettings): ReadonlySet<string> {
  return new Set([new URL(issuer).origin, ...origins]);
}

/** The provider's metadata, asked for once an hour; of several that wait for it only one asks. */
function rememberedConfiguration(
  settings: OidcSettings,
  { clock }: { readonly clock: Clock },
): () => Promise<client.Configuration> {
  let held: { readonly configuration: Promise<client.Configuration>; readonly atMs: number } | null = null;
  return async () => {
    const nowMs = clock.nowMs();
    if (held === null || nowMs - held.atMs >= METADATA_MS) {
      held = { configuration: discover(settings), atMs: nowMs };
    }
    const asked = held;
    try {
      return await asked.configuration;
    } catch (error) {
      // The next one asks again.
      if (held === asked) held = null;
      throw new ExternalProviderUnavailableError(error);
    }
  };
}

async function discover(settings: OidcSettings): Promise<client.Configuration> {
  const { issuer, clientId, clientSecret, clientAuthentication } = settings;
  const authentication =
    clientSecret === null
      ? client.None()
      : clientAuthentication === 'client_secret_basic'
        ? client.ClientSecretBasic(clientSecret)
        : client.ClientSecretPost(clientSecret);
  const config = await client.discovery(new URL(issuer), clientId, {}, authentication, {
    [client.customFetch]: guardedFetch(originsOf(settings)),
    timeout: TIMEOUT_SECONDS,
    execute: [
      // Without it the library trusts TLS and looks at no signature of an id token.
      client.enableNonRepudiationChecks,
      // The settings allow http on this machine alone.
      ...(issuer.startsWith('http:') ? [client.allowInsecureRequests] : []),
    ],
  });
  // The library compares addresses and knows exceptions; by this text identities are found.
  if (config.serverMetadata().issuer !== issuer) throw new Error('the provider calls itself otherwise');
  return config;
}

/** What the id token says, and where it says nothing of an address, what the provider answers when asked. */
async function profileOf(
  config: client.Configuration,
  proof: {
    readonly accessToken: string;
    readonly subject: string;
    readonly claims: Readonly<Record<string, unknown>>;
  },
): Promise<ExternalProfile> {
  const { claims, accessToken, subject } = proof;
  if ('email' in claims || config.serverMetadata().userinfo_endpoint === undefined)
    return profileFrom(claims);
  try {
    return profileFrom({ ...claims, ...(await client.fetchUserInfo(config, accessToken, subject)) });
  } catch (error) {
    throw asRefusal(error);
  }
}

function profileFrom(claims: Readonly<Record<string, unknown>>): ExternalProfile {
  const { email, email_verified: verified, name } = claims;
  return {
    email: typeof email === 'string' ? email : null,
    // The specification says boolean, and what is not one is no word to rely on.
    emailVerified: verified === true,
    displayName: typeof name === 'string' ? name : null,
  };
}

/** What the library throws, as people are told it. What the provider wrote goes no further than our log. */
function asRefusal(error: unknown): Error {
  if (isSilence(error)) return new ExternalProviderUnavailableError(error);
  if (error instanceof client.AuthorizationResponseError && error.error === 'access_denied') {
    return new ExternalSignInCancelledError();
  }
  return new ExternalSignInRefusedError(error);
}

function isSilence(error: unknown): boolean {
  if (error instanceof ProviderSilentError || error instanceof ForbiddenPlaceError) return true;
  if (!(error instanceof client.ClientError)) return false;
  return error.code === 'OAUTH_TIMEOUT' || isSilence(error.cause);
}
