import { createHmac } from 'node:crypto';
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClerkSettings } from '../../../src/auth/external/clerk/settings.ts';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { Browser } from './browser.ts';
import { CLERK_ISSUER, type Clerk, type ClerkUser, PAGE, startClerk } from './clerk.ts';
import { audited, counts, localUser, VIEWER } from './support.ts';

const SIGN_IN = `mutation ($input: ClerkSignInInput!) { clerkSignIn(input: $input) {
  __typename ... on ClerkSignInPayload { factorOwed } ... on UserError { code } } }`;
const LINK = `mutation ($input: ExternalIdentityLinkClerkInput!) { externalIdentityLinkClerk(input: $input) {
  __typename ... on ExternalIdentityLinkClerkPayload { externalIdentities { provider } } ... on UserError { code } } }`;

let clerk: Clerk;
let fixture: ApiFixture;
beforeAll(async () => {
  clerk = await startClerk();
  fixture = await startApiFixture({
    trustedProxies: ['127.0.0.1'],
    external: { clerk: clerk.settings, oidc: [] },
  });
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await clerk[Symbol.asyncDispose]();
});

const exchange = async (browser: Browser, sessionToken: string) =>
  (await browser.ask(SIGN_IN, { input: { sessionToken } })).data.clerkSignIn;
const REFUSED = { __typename: 'ExternalSignInRefusedError', code: 'EXTERNAL_SIGN_IN_REFUSED' };

/** The token is refused, and nothing is left of it. */
async function expectRefused(token: string): Promise<void> {
  const before = await counts(fixture);
  const browser = new Browser(fixture.url);
  expect(await exchange(browser, token)).toEqual(REFUSED);
  expect(browser.cookie('__Host-tl_session')).toBeUndefined();
  expect(await counts(fixture)).toEqual(before);
}

describe('signing in with a session of Clerk', () => {
  it('[T-S5] makes an account at first, and opens it from then on without asking Clerk', async () => {
    clerk.users.set('user_cleo', { email: 'cleo@example.org', others: ['second@example.org'] });
    const browser = new Browser(fixture.url);
    const first = await exchange(browser, await clerk.token({ sub: 'user_cleo' }));
    expect(first).toMatchObject({ __typename: 'ClerkSignInPayload', factorOwed: false });
    expect(browser.cookie('__Host-tl_session')?.attributes).toContain('SameSite=Strict');
    expect(browser.cookie('__Host-tl_device')).toBeDefined();
    expect((await browser.ask(VIEWER)).data.viewer).toMatchObject({
      email: 'cleo@example.org',
      emailVerified: true,
      hasPassword: false,
      displayName: 'Cleo Clerk',
      externalIdentities: [{ provider: 'clerk' }],
    });
    expect(await audited(fixture, 2)).toEqual(['clerkSignIn DONE', 'externalAccountOpened DONE']);
    clerk.asked.length = 0;
    clerk.state.away = true;
    const again = new Browser(fixture.url);
    expect(await exchange(again, await clerk.token({ sub: 'user_cleo' }))).toEqual(first);
    expect((await again.ask(VIEWER)).data.viewer.id).toBe((await browser.ask(VIEWER)).data.viewer.id);
    clerk.state.away = false;
    expect(clerk.asked).toEqual([]);
  });

  it.each<[string, ClerkUser | null, 'free' | 'taken', string]>([
    ['has no address', {}, 'free', 'EXTERNAL_EMAIL_UNVERIFIED'],
    [
      'has verified another than the primary one',
      { email: 'c1@example.org', status: 'unverified', others: ['c1b@example.org'] },
      'free',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'was verified too late',
      { email: 'c2@example.org', status: 'expired' },
      'free',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'has an unverified address that somebody has here',
      { email: 'c3@example.org', status: 'unverified' },
      'taken',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'has a verified address that somebody has here',
      { email: 'c4@example.org' },
      'taken',
      'EXTERNAL_IDENTITY_NOT_LINKED',
    ],
    ['is banned', { email: 'c5@example.org', banned: true }, 'free', 'EXTERNAL_SIGN_IN_REFUSED'],
    ['is locked', { email: 'c6@example.org', locked: true }, 'free', 'EXTERNAL_SIGN_IN_REFUSED'],
    ['is not there any more', null, 'free', 'EXTERNAL_SIGN_IN_REFUSED'],
  ])('[T-S5] [T-S1] neither opens nor makes an account for who %s', async (what, user, address, code) => {
    const sub = `user_${what.replaceAll(' ', '_')}`;
    if (user !== null) clerk.users.set(sub, user);
    if (address === 'taken') await localUser(fixture, user?.email ?? '', { verified: false });
    const before = await counts(fixture);
    expect(await exchange(new Browser(fixture.url), await clerk.token({ sub }))).toMatchObject({ code });
    expect(await counts(fixture)).toEqual(before);
    expect(await audited(fixture, 1)).toEqual([`clerkSignIn REFUSED ${code}`]);
  });

  it('[T-S3] ends the session that the browser was in', async () => {
    clerk.users.set('user_anew', { email: 'anew@example.org' });
    const browser = await localUser(fixture, 'before-anew@example.org');
    const copied = new Browser(fixture.url);
    copied.setCookie(fixture.url, '__Host-tl_session', browser.cookie('__Host-tl_session')?.value ?? '');
    await exchange(browser, await clerk.token({ sub: 'user_anew' }));
    expect((await browser.ask(VIEWER)).data.viewer.email).toBe('anew@example.org');
    expect((await copied.ask(VIEWER)).data.viewer).toBeNull();
  });

  it('says so when Clerk does not answer', async () => {
    clerk.state.away = true;
    const answer = await exchange(new Browser(fixture.url), await clerk.token({ sub: 'user_unknown' }));
    clerk.state.away = false;
    expect(answer).toMatchObject({ code: 'EXTERNAL_PROVIDER_UNAVAILABLE' });
  });
});

describe('a session token', () => {
  const now = () => Math.floor(Date.now() / 1_000);
  beforeAll(() => {
    clerk.users.set('user_one', { email: 'one@example.org' });
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['that has expired', () => ({ iat: now() - 90, exp: now() - 30 })],
    ['that is not good yet', () => ({ nbf: now() + 60 })],
    ['from the future', () => ({ iat: now() + 60 })],
    ['that lasts, but was given out long ago', () => ({ iat: now() - 130, exp: now() + 3_600 })],
    ['without an end', () => ({ exp: undefined })],
    ['that says not when it was given out', () => ({ iat: undefined })],
    ['of another page', () => ({ azp: 'https://evil.example' })],
    ['of a page whose name begins alike', () => ({ azp: `${PAGE}.evil.example` })],
    ['of no page', () => ({ azp: undefined })],
    ['of another application', () => ({ iss: 'https://clerk.evil.example' })],
    ['of an issuer written otherwise', () => ({ iss: `${CLERK_ISSUER}/` })],
    ['of no issuer', () => ({ iss: undefined })],
    ['of who has not finished signing in', () => ({ sts: 'pending' })],
    ['of a state that we do not know', () => ({ sts: 'something-new' })],
    ['of nobody', () => ({ sub: undefined })],
    ['of an empty subject', () => ({ sub: '' })],
    ['of no session', () => ({ sid: undefined })],
    ['of somebody who poses as another', () => ({ act: { sub: 'user_staff' } })],
  ])('[T-S5] %s is refused', async (_what, claims) => {
    await expectRefused(await clerk.token(claims()));
  });

  it('[T-S5] that another key signed is refused', async () => {
    const { privateKey: key } = await generateKeyPair('RS256');
    await expectRefused(await clerk.token({}, { key }));
    await expectRefused(await clerk.token({}, { key, kid: 'ins_two' }));
  });

  it('[T-S5] that nothing signed, or our own copy of the public key, is refused', async () => {
    const [, payload = ''] = (await clerk.token()).split('.');
    const encode = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url');
    await expectRefused(`${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`);
    await expectRefused(`${encode({ alg: 'none', typ: 'JWT', kid: 'ins_one' })}.${payload}.c2ln`);
    for (const secret of [clerk.publicPem, clerk.publicPem.trim(), clerk.publicPem.replaceAll('\n', '')]) {
      const text = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'ins_one' })}.${payload}`;
      await expectRefused(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`);
    }
  });

  it.each(['', 'x', 'a.b.c', '..', 'x'.repeat(9_000)])('[T-S5] %.20j is refused', async (token) => {
    await expectRefused(token);
  });

  it('[T-S5] of which anything was changed is refused', async () => {
    const [header, payload = '', signature] = (await clerk.token()).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'user_cleo' })).toString('base64url');
    await expectRefused(`${header}.${changed}.${signature}`);
  });

  it('[T-S2] [T-S5] counts once, however its signature is written and however many come at once', async () => {
    const token = await clerk.token();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => exchange(new Browser(fixture.url), token)),
    );
    expect(answers.filter(({ __typename }) => __typename === 'ClerkSignInPayload')).toHaveLength(1);
    expect(answers.filter(({ code }) => code === REFUSED.code)).toHaveLength(7);
    // The last letter of 256 bytes in base64url has four bits that mean nothing.
    const last = token.at(-1) ?? '';
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = `${token.slice(0, -1)}${letters[letters.indexOf(last) ^ 1]}`;
    const signature = (text: string) => Buffer.from(text.split('.')[2] ?? '', 'base64url').toString('hex');
    expect(signature(twin)).toBe(signature(token));
    for (const repeated of [token, twin, `${token}=`, `${token} `]) await expectRefused(repeated);
  });

  it('[T-S5] is checked with the key that Clerk publishes when none is set, and refused when it has no such key', async () => {
    await using api = await startApiFixture({
      trustedProxies: ['127.0.0.1'],
      external: { clerk: { ...clerk.settings, jwtKey: null }, oidc: [] },
    });
    const browser = new Browser(api.url);
    expect(await exchange(browser, await clerk.token())).toMatchObject({ __typename: 'ClerkSignInPayload' });
    expect(clerk.asked).toContain('GET /v1/jwks');
    const { privateKey: key } = await generateKeyPair('RS256');
    for (const kid of ['ins_one', 'ins_two']) {
      expect(await exchange(new Browser(api.url), await clerk.token({}, { key, kid }))).toEqual(REFUSED);
    }
    for (const claims of [{ iss: 'https://clerk.evil.example' }, { sts: 'pending' }, { azp: undefined }]) {
      expect(await exchange(new Browser(api.url), await clerk.token(claims))).toEqual(REFUSED);
    }
  });

  it.each([
    ['is away', (settings: ClerkSettings) => ({ ...settings, apiUrl: 'http://127.0.0.1:1' })],
    [
      'does not know us',
      (settings: ClerkSettings) => ({ ...settings, secretKey: 'sk_test_of_somebody_else' }),
    ],
  ])('is not called wrong when Clerk %s', async (_what, change) => {
    await using api = await startApiFixture({
      external: { clerk: change({ ...clerk.settings, jwtKey: null }), oidc: [] },
    });
    const answer = await exchange(new Browser(api.url), await clerk.token());
    expect(answer).toMatchObject({ code: 'EXTERNAL_PROVIDER_UNAVAILABLE' });
  });

  it('[T-S1] is exchanged twenty times from an address', async () => {
    const browser = new Browser(fixture.url);
    const codes: string[] = [];
    for (let tries = 0; tries < 22; tries += 1) codes.push((await exchange(browser, 'x')).code);
    expect(codes).toEqual([...Array(20).fill(REFUSED.code), 'RATE_LIMITED', 'RATE_LIMITED']);
  });
});

describe('linking with a session of Clerk', () => {
  const link = async (browser: Browser, sessionToken: string) =>
    (await browser.ask(LINK, { input: { sessionToken } })).data.externalIdentityLinkClerk;

  it('[T-S5] opens the account from then on, and takes it from nobody', async () => {
    clerk.users.set('user_linked', { email: 'unrelated@example.org', status: 'unverified' });
    const browser = await localUser(fixture, 'linked@example.org');
    expect(await link(browser, await clerk.token({ sub: 'user_linked' }))).toEqual({
      __typename: 'ExternalIdentityLinkClerkPayload',
      externalIdentities: [{ provider: 'clerk' }],
    });
    const { id } = (await browser.ask(VIEWER)).data.viewer;
    const elsewhere = new Browser(fixture.url);
    await exchange(elsewhere, await clerk.token({ sub: 'user_linked' }));
    expect((await elsewhere.ask(VIEWER)).data.viewer.id).toBe(id);
    const other = await localUser(fixture, 'other-linked@example.org');
    expect(await link(other, await clerk.token({ sub: 'user_linked' }))).toMatchObject({
      code: 'EXTERNAL_IDENTITY_TAKEN',
    });
    expect((await other.ask(VIEWER)).data.viewer.externalIdentities).toEqual([]);
  });

  it('[T-S5] uses the token up, and takes none that signing in would not', async () => {
    const browser = await localUser(fixture, 'once@example.org');
    const token = await clerk.token({ sub: 'user_once' });
    await link(browser, token);
    expect(await exchange(new Browser(fixture.url), token)).toEqual(REFUSED);
    expect(await link(browser, token)).toEqual(REFUSED);
    expect(await link(browser, await clerk.token({ sub: 'user_two', sts: 'pending' }))).toEqual(REFUSED);
    expect((await browser.ask(VIEWER)).data.viewer.externalIdentities).toHaveLength(1);
  });

  it('needs somebody signed in', async () => {
    const answer = await new Browser(fixture.url).ask(LINK, { input: { sessionToken: await clerk.token() } });
    expect(answer.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});
