import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { Browser } from './browser.ts';
import { type HostileProvider, type Misdeeds, startHostileProvider } from './hostile-provider.ts';
import { counts, settingsFor, VIEWER } from './support.ts';

const CLIENT = { clientId: 'tallylight', clientSecret: 'between-the-two' };

let idp: HostileProvider;
let fixture: ApiFixture;
beforeAll(async () => {
  idp = await startHostileProvider(CLIENT.clientId);
});
afterAll(() => idp[Symbol.asyncDispose]());
// A fresh API for each test: providers' metadata and keys are remembered.
beforeEach(async () => {
  fixture = await startApiFixture({
    trustedProxies: ['127.0.0.1'],
    external: {
      clerk: null,
      oidc: [
        settingsFor({ ...CLIENT, issuer: idp.issuer }, 'evil'),
        settingsFor({ ...CLIENT, issuer: 'https://good.example' }, 'good'),
      ],
    },
  });
  idp.asked.length = 0;
  idp.sent.form = null;
});
afterEach(async () => {
  for (const name of Object.keys(idp.misdeeds)) delete idp.misdeeds[name as keyof Misdeeds];
  await fixture[Symbol.asyncDispose]();
});

interface Begun {
  readonly browser: Browser;
  readonly authorization: URL;
  readonly callback: URL;
}

/** Begins, and comes back as the provider would send the browser. */
async function begin(): Promise<Begun> {
  const browser = new Browser(fixture.url);
  const response = await browser.request('/auth/oidc/evil/start');
  const authorization = new URL(response.headers.get('location') ?? 'about:blank');
  const { searchParams } = authorization;
  idp.expected.nonce = searchParams.get('nonce') ?? '';
  const callback = new URL(searchParams.get('redirect_uri') ?? 'about:blank');
  callback.searchParams.set('code', 'the-code');
  callback.searchParams.set('state', searchParams.get('state') ?? '');
  callback.searchParams.set('iss', idp.issuer);
  return { browser, authorization, callback };
}

const outcome = async (browser: Browser, callback: URL) =>
  (await browser.request(callback, { from: idp.issuer })).headers.get('location')?.split('#signIn=')[1];

/** What becomes of a sign-in at the provider as it is now. Of a refused one nothing may be left. */
async function attempt(): Promise<string | undefined> {
  const { browser, callback } = await begin();
  const result = await outcome(browser, callback);
  const left = await counts(fixture);
  if (result === 'done') expect(left).toEqual({ users: 1, identities: 1, sessions: 1 });
  else {
    expect(left).toEqual({ users: 0, identities: 0, sessions: 0 });
    expect(browser.cookie('__Host-tl_session')).toBeUndefined();
  }
  return result;
}

const REFUSED = 'EXTERNAL_SIGN_IN_REFUSED';
const AWAY = 'EXTERNAL_PROVIDER_UNAVAILABLE';
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a provider that does not keep to the rules', () => {
  it('is one whose people sign in as long as it does', async () => {
    expect(await attempt()).toBe('done');
  });

  it('[T-S5] is bound by PKCE, state and nonce, all of them fresh', async () => {
    const { authorization, browser, callback } = await begin();
    const { searchParams } = authorization;
    expect(searchParams.get('code_challenge_method')).toBe('S256');
    expect(searchParams.get('response_type')).toBe('code');
    expect(await outcome(browser, callback)).toBe('done');
    const verifier = idp.sent.form?.get('code_verifier') ?? '';
    expect(verifier.length).toBeGreaterThan(42);
    const challenge = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(verifier))).toString(
      'base64url',
    );
    expect(searchParams.get('code_challenge')).toBe(challenge);
    const { authorization: next } = await begin();
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(next.searchParams.get(name)).toHaveLength(43);
      expect(next.searchParams.get(name)).not.toBe(searchParams.get(name));
    }
  });

  it.each<[string, NonNullable<Misdeeds['claims']>]>([
    ['for another client', (right) => ({ ...right, aud: 'somebody-else' })],
    [
      'for several, and says not whose it is',
      (right) => ({ ...right, aud: ['tallylight', 'somebody-else'] }),
    ],
    ['given out to another client', (right) => ({ ...right, aud: ['tallylight', 'x'], azp: 'x' })],
    ['of another issuer', (right) => ({ ...right, iss: 'https://good.example' })],
    ['with another nonce', (right) => ({ ...right, nonce: 'of-another-sign-in' })],
    ['without a nonce', ({ nonce, ...right }) => right],
    ['that has expired', (right) => ({ ...right, iat: 1_000, exp: 1_300 })],
    ['without an end', ({ exp, ...right }) => right],
    ['of nobody', ({ sub, ...right }) => right],
    ['of an empty subject', (right) => ({ ...right, sub: '' })],
    ['of a subject beyond all measure', (right) => ({ ...right, sub: 'x'.repeat(300) })],
    ['that is not good yet', (right) => ({ ...right, nbf: Math.floor(Date.now() / 1_000) + 600 })],
  ])('[T-S5] makes nobody somebody with an id token %s', async (_what, claims) => {
    idp.misdeeds.claims = claims;
    expect(await attempt()).toBe(REFUSED);
  });

  it('[T-S5] makes nobody somebody with an id token that its published keys did not sign', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    idp.misdeeds.idToken = (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(privateKey);
    expect(await attempt()).toBe(REFUSED);
    // Nor with a key that comes along in the token.
    const jwk = await exportJWK(publicKey);
    idp.misdeeds.idToken = (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', jwk }).sign(privateKey);
    expect(await attempt()).toBe(REFUSED);
  });

  it('[T-S5] makes nobody somebody with an id token that nothing signed, or what both sides know', async () => {
    idp.misdeeds.idToken = (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`;
    expect(await attempt()).toBe(REFUSED);
    idp.misdeeds.idToken = (claims) => {
      const text = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
      return `${text}.${createHmac('sha256', CLIENT.clientSecret).update(text).digest('base64url')}`;
    };
    expect(await attempt()).toBe(REFUSED);
    idp.misdeeds.idToken = async (claims, sign) => {
      const [header, , signature] = (await sign(claims)).split('.');
      return `${header}.${encode({ ...claims, sub: 'somebody-else' })}.${signature}`;
    };
    expect(await attempt()).toBe(REFUSED);
  });

  it('[T-S5] cannot speak for another in what it says when asked', async () => {
    idp.misdeeds.userinfo = (right) => ({ ...right, sub: 'somebody-else', email: 'victim@example.org' });
    expect(await attempt()).toBe(REFUSED);
    expect(idp.asked).toContain('/userinfo');
  });

  it('[T-S5] cannot be mixed up with another: a flow of the one ends at no other', async () => {
    const { browser, callback } = await begin();
    callback.pathname = '/auth/oidc/good/callback';
    const response = await browser.request(callback, { from: idp.issuer });
    expect(response.status).toBe(400);
    expect(idp.asked).not.toContain('/token');
    expect(await counts(fixture)).toEqual({ users: 0, identities: 0, sessions: 0 });
  });

  it.each<[string, NonNullable<Misdeeds['metadata']>, boolean]>([
    ['calls itself otherwise', (right) => ({ ...right, issuer: 'https://good.example' }), false],
    ['calls itself nearly so', (right) => ({ ...right, issuer: `${String(right.issuer)}/` }), false],
    [
      'sends browsers elsewhere',
      (right) => ({ ...right, authorization_endpoint: 'https://evil.example/a' }),
      false,
    ],
    [
      'sends browsers to a script',
      (right) => ({ ...right, authorization_endpoint: 'javascript:alert(1)' }),
      false,
    ],
    ['has no place to sign in', ({ authorization_endpoint, ...right }) => right, false],
    ['has its keys elsewhere', (right) => ({ ...right, jwks_uri: 'http://127.0.0.1:1/keys' }), true],
    [
      'takes codes elsewhere',
      (right) => ({ ...right, token_endpoint: 'http://169.254.169.254/latest' }),
      true,
    ],
  ])('[T-S5] is not gone to when it %s', async (_what, metadata, begins) => {
    idp.misdeeds.metadata = metadata;
    const browser = new Browser(fixture.url);
    const location = (await browser.request('/auth/oidc/evil/start')).headers.get('location');
    if (begins) expect(await attempt()).toBe(AWAY);
    else expect(location).toBe(`${fixture.url}/#signIn=${AWAY}`);
    expect(await counts(fixture)).toEqual({ users: 0, identities: 0, sessions: 0 });
  });

  it('[T-S5] cannot make us ask anything of another place in our network', async () => {
    const asked: string[] = [];
    const inside = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    });
    inside.listen(0, '127.0.0.1');
    await once(inside, 'listening');
    const origin = `http://127.0.0.1:${(inside.address() as AddressInfo).port}`;
    for (const endpoint of ['token_endpoint', 'jwks_uri', 'userinfo_endpoint']) {
      idp.misdeeds.metadata = (right) => ({ ...right, [endpoint]: `${origin}/${endpoint}` });
      await using api = await startApiFixture({
        external: { clerk: null, oidc: [settingsFor({ ...CLIENT, issuer: idp.issuer }, 'evil')] },
      });
      const own = fixture;
      fixture = api;
      expect(await attempt()).toBe(AWAY);
      fixture = own;
    }
    delete idp.misdeeds.metadata;
    // Nor by sending us on.
    idp.misdeeds.token = () => ({ status: 302, body: '', headers: { location: `${origin}/redirected` } });
    expect(await attempt()).toBe(REFUSED);
    expect(asked).toEqual([]);
    inside.closeAllConnections();
    inside.close();
    await once(inside, 'close');
  });

  it('[T-D4] is not read beyond an end', async () => {
    idp.misdeeds.token = () => ({ status: 200, body: `{"x":"${'x'.repeat(300_000)}"}` });
    expect(await attempt()).toBe(AWAY);
  });

  it('has nothing it writes told on, in addresses or anywhere', async () => {
    const { browser, callback } = await begin();
    callback.searchParams.delete('code');
    callback.searchParams.set('error', 'server_error');
    callback.searchParams.set('error_description', '<script>alert(1)</script>');
    const response = await browser.request(callback, { from: idp.issuer });
    expect(response.headers.get('location')).toBe(`${fixture.url}/#signIn=${REFUSED}`);
    expect(await response.text()).toBe('');
  });

  it('opens again what it opened, and no other account, whatever it says of addresses', async () => {
    expect(await attempt()).toBe('done');
    const { browser, callback } = await begin();
    idp.misdeeds.userinfo = (right) => ({ ...right, email: 'victim@example.org' });
    expect(await outcome(browser, callback)).toBe('done');
    expect((await browser.ask(VIEWER)).data.viewer.email).toBe('mallory@example.org');
    expect(await counts(fixture)).toMatchObject({ users: 1, identities: 1, sessions: 2 });
  });
});
