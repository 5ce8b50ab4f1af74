import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

/** Somebody with an account at the provider. */
export interface Person {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
}

/** A certified provider of OpenID Connect on loopback, with interactions of its own: whoever the cookie `person` names is signed in. */
export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly people: Map<string, Person>;
  readonly clientId: string;
  readonly clientSecret: string;
  /** While true, `away` answers 503 to everything, and `asks` shows a page with a button before anybody is signed in. */
  readonly state: { away: boolean; asks: boolean };
  /** What it was asked, as methods and paths. */
  readonly asked: string[];
}

export async function startIdentityProvider(
  redirectUris: () => readonly string[],
  { host = '127.0.0.1' }: { readonly host?: 'localhost' | '127.0.0.1' } = {},
): Promise<IdentityProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const people = new Map<string, Person>();
  const state = { away: false, asks: false };
  const asked: string[] = [];
  const clientId = 'tallylight';
  const clientSecret = randomBytes(24).toString('base64url');
  let handle: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  // Where browsers may be sent back to is known once the API listens, which needs the issuer first.
  const provider = async () => {
    const made = new Provider(issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [...redirectUris()],
          response_types: ['code'],
          grant_types: ['authorization_code'],
        },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'RS256', use: 'sig' }] },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      features: { devInteractions: { enabled: false } },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      pkce: { required: () => true },
      ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 60, IdToken: 60 },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, sub) =>
        people.has(sub) ? { accountId: sub, claims: async () => ({ sub, ...people.get(sub) }) } : undefined,
    });
    const callback = made.callback();
    return async (request: IncomingMessage, response: ServerResponse) => {
      if (!request.url?.startsWith('/interaction/')) return callback(request, response);
      const { prompt, params, session } = await made.interactionDetails(request, response);
      if (prompt.name === 'login' && state.asks && request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/html' });
        return void response.end('<!doctype html><form method="post"><button>Sign in</button></form>');
      }
      if (prompt.name === 'login') {
        const accountId = /(?:^|; )person=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
        const result =
          accountId === undefined
            ? { error: 'access_denied', error_description: 'javascript:alert(1)' }
            : { login: { accountId } };
        return made.interactionFinished(request, response, result);
      }
      const grant = new made.Grant({
        accountId: String(session?.accountId),
        clientId: String(params.client_id),
      });
      grant.addOIDCScope('openid email profile');
      const result = { consent: { grantId: await grant.save() } };
      return made.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    };
  };
  server.on('request', async (request, response) => {
    asked.push(`${request.method} ${request.url?.split('?')[0]}`);
    if (state.away) return void response.writeHead(503).end();
    handle ??= await provider();
    await handle(request, response);
  });
  return {
    issuer,
    people,
    clientId,
    clientSecret,
    state,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
