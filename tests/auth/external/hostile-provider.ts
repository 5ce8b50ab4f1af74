import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** What a provider may do wrong. Each is called with what would be right. */
export interface Misdeeds {
  metadata?: (right: Record<string, unknown>) => Record<string, unknown>;
  /** The claims of the id token. */
  claims?: (right: Record<string, unknown>) => Record<string, unknown>;
  /** The id token itself. */
  idToken?: (
    claims: Record<string, unknown>,
    sign: (claims: Record<string, unknown>) => Promise<string>,
  ) => Promise<string> | string;
  userinfo?: (right: Record<string, unknown>) => Record<string, unknown>;
  /** The answer of the token endpoint, in place of the right one. */
  token?: () => { readonly status: number; readonly body: string; readonly headers?: Record<string, string> };
}

/** A provider that says what the test wants, on loopback. */
export interface HostileProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly misdeeds: Misdeeds;
  /** What the token endpoint was sent last. */
  readonly sent: { form: URLSearchParams | null };
  /** The nonce that goes into the next id token: what the authorization request had. */
  readonly expected: { nonce: string };
  readonly asked: string[];
}

export async function startHostileProvider(clientId: string): Promise<HostileProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  const misdeeds: Misdeeds = {};
  const sent: HostileProvider['sent'] = { form: null };
  const expected = { nonce: '' };
  const asked: string[] = [];
  const sign = (claims: Record<string, unknown>) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(privateKey);
  const user = { sub: 'mallory', email: 'mallory@example.org', email_verified: true };
  const same = (right: Record<string, unknown>) => right;
  const routes: Record<string, (request: IncomingMessage) => Promise<object>> = {
    '/.well-known/openid-configuration': async () =>
      (misdeeds.metadata ?? same)({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/jwks`,
        authorization_response_iss_parameter_supported: true,
        id_token_signing_alg_values_supported: ['RS256'],
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
      }),
    '/jwks': async () => ({ keys: [jwk] }),
    '/userinfo': async () => (misdeeds.userinfo ?? same)(user),
    '/token': async (request) => {
      sent.form = new URLSearchParams(await textOf(request));
      const now = Math.floor(Date.now() / 1_000);
      const claims = (misdeeds.claims ?? same)({
        iss: issuer,
        sub: 'mallory',
        aud: clientId,
        iat: now,
        exp: now + 300,
        nonce: expected.nonce,
      });
      const idToken = await (misdeeds.idToken ?? sign)(claims, sign);
      return { access_token: 'access', token_type: 'Bearer', expires_in: 60, id_token: idToken };
    },
  };
  server.on('request', async (request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    asked.push(path);
    const replaced = path === '/token' ? misdeeds.token?.() : undefined;
    if (replaced !== undefined) {
      response.writeHead(replaced.status, { 'content-type': 'application/json', ...replaced.headers });
      return void response.end(replaced.body);
    }
    const answer = await routes[path]?.(request);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  return {
    issuer,
    misdeeds,
    sent,
    expected,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}
