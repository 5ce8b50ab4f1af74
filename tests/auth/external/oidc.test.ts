import { sql } from 'kysely';
import { generateSync } from 'otplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAccounts } from '../../../src/auth/accounts/account.ts';
import type { SignedInUser } from '../../../src/auth/viewer.ts';
import { newId, uuidFromId } from '../../../src/lib/ids.ts';
import { userExternalIdentities } from '../../../src/resolvers/external-identity.ts';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { Browser, type Page } from './browser.ts';
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import { audited, counts, LINK_START, localUser, settingsFor, UNLINK, VIEWER } from './support.ts';

let idp: IdentityProvider;
let fixture: ApiFixture;
beforeAll(async () => {
  idp = await startIdentityProvider(() =>
    ['house', 'closed'].map((name) => `${fixture.url}/auth/oidc/${name}/callback`),
  );
  fixture = await startApiFixture({
    trustedProxies: ['127.0.0.1'],
    external: { clerk: null, oidc: [settingsFor(idp, 'house')] },
  });
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
});

/** Somebody who is signed in at the provider, at a browser that has never been here. */
function browserOf(person: string): Browser {
  const browser = new Browser(fixture.url);
  browser.setCookie(idp.issuer, 'person', person);
  return browser;
}

const atCallback = (url: URL) => url.pathname.endsWith('/callback') && url.origin === fixture.url;
const outcomeOf = ({ url }: Page) => `${url.pathname}${url.search}${url.hash}`;
const signIn = (browser: Browser, start = '/auth/oidc/house/start?returnTo=/console') =>
  browser.go(start, { until: (url) => url.pathname === '/console' });

describe('signing in with a provider of OpenID Connect', () => {
  it('[T-S5] makes an account at first, and opens it from then on', async () => {
    idp.people.set('ann', { email: 'Ann@example.org', email_verified: true, name: 'Ann' });
    const before = await counts(fixture);
    const browser = browserOf('ann');
    expect(outcomeOf(await signIn(browser))).toBe('/console#signIn=done');
    expect(browser.cookie('__Host-tl_session')?.attributes).toMatch(
      /^Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    expect(browser.cookie('__Host-tl_device')?.value).toMatch(/^[\w-]{16}\./);
    expect(browser.cookie('__Host-tl_oidc')).toBeUndefined();
    const { viewer } = (await browser.ask(VIEWER)).data;
    expect(viewer).toMatchObject({
      email: 'Ann@example.org',
      emailVerified: true,
      hasPassword: false,
      displayName: 'Ann',
      externalIdentities: [{ provider: 'house', lastUsedAt: expect.any(String) }],
    });
    expect(await audited(fixture, 2)).toEqual(['externalSignIn DONE', 'externalAccountOpened DONE']);
    // What somebody is called there may change; who they are does not.
    idp.people.set('ann', { email: 'other@example.org', email_verified: false });
    const again = browserOf('ann');
    expect(outcomeOf(await signIn(again))).toBe('/console#signIn=done');
    expect((await again.ask(VIEWER)).data.viewer).toMatchObject({ id: viewer.id, email: 'Ann@example.org' });
    expect(again.cookie('__Host-tl_session')?.value).not.toBe(browser.cookie('__Host-tl_session')?.value);
    expect(await audited(fixture, 1)).toEqual(['externalSignIn DONE']);
    const after = await counts(fixture);
    expect(after).toEqual({
      users: before.users + 1,
      identities: before.identities + 1,
      sessions: before.sessions + 2,
    });
  });

  it('keeps nothing of who somebody is there', async () => {
    idp.people.set('subject-to-hide', { email: 'hide@example.org', email_verified: true });
    await signIn(browserOf('subject-to-hide'));
    const { rows } = await sql<{
      row: string;
    }>`select row_to_json(i)::text as row from external_identity i`.execute(fixture.db);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ row }) => /subject-to-hide|hide@example/.test(row))).toEqual([]);
  });

  it.each([
    ['says nothing of an address', {}, 'free', 'EXTERNAL_EMAIL_UNVERIFIED'],
    [
      'is not sure of the address',
      { email: 'x1@example.org', email_verified: false },
      'free',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    ['does not say whether it is sure', { email: 'x2@example.org' }, 'free', 'EXTERNAL_EMAIL_UNVERIFIED'],
    [
      'says it is sure in some other way',
      { email: 'x3@example.org', email_verified: 'true' as never },
      'free',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'sends what is no address',
      { email: 'a@b@c', email_verified: true },
      'free',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'is not sure of an address that somebody has here',
      { email: 'x4@example.org', email_verified: false },
      'taken',
      'EXTERNAL_EMAIL_UNVERIFIED',
    ],
    [
      'is sure of an address that somebody has here',
      { email: 'x5@example.org', email_verified: true },
      'taken',
      'EXTERNAL_IDENTITY_NOT_LINKED',
    ],
    [
      'writes it in another case',
      { email: 'X6@EXAMPLE.org', email_verified: true },
      'taken',
      'EXTERNAL_IDENTITY_NOT_LINKED',
    ],
  ] as const)(
    '[T-S5] [T-S1] neither opens nor makes an account when the provider %s',
    async (_what, person, address, code) => {
      // Whoever made the account first may be anybody: nobody has verified its address.
      const holder =
        address === 'taken'
          ? await localUser(fixture, String(person.email).toLowerCase(), { verified: false })
          : null;
      idp.people.set(`person ${code} ${_what}`.replaceAll(' ', '-'), person);
      const before = await counts(fixture);
      const browser = browserOf(`person ${code} ${_what}`.replaceAll(' ', '-'));
      expect(outcomeOf(await signIn(browser))).toBe(`/console#signIn=${code}`);
      expect(browser.cookie('__Host-tl_session')).toBeUndefined();
      expect(await counts(fixture)).toEqual(before);
      expect(await audited(fixture, 1)).toEqual([`externalSignIn REFUSED ${code}`]);
      if (holder !== null) {
        expect((await holder.ask(VIEWER)).data.viewer).toMatchObject({
          emailVerified: false,
          hasPassword: true,
          externalIdentities: [],
        });
      }
    },
  );

  it('makes one account of two first sign-ins at once', async () => {
    idp.people.set('twin', { email: 'twin@example.org', email_verified: true });
    const before = await counts(fixture);
    const browsers = Array.from({ length: 6 }, () => browserOf('twin'));
    const urls = await Promise.all(
      browsers.map(
        async (browser) => (await browser.go('/auth/oidc/house/start', { until: atCallback })).url,
      ),
    );
    const pages = await Promise.all(
      browsers.map((browser, index) =>
        browser.go(urls[index] ?? '', { from: idp.issuer, until: (url) => url.hash !== '' }),
      ),
    );
    expect(pages.map(outcomeOf)).toEqual(browsers.map(() => '/#signIn=done'));
    const after = await counts(fixture);
    expect(after).toEqual({
      users: before.users + 1,
      identities: before.identities + 1,
      sessions: before.sessions + 6,
    });
  });

  it('[T-S4] is a first factor: a second one stays owed', async () => {
    idp.people.set('factor', { email: 'factor@example.org', email_verified: true });
    const browser = browserOf('factor');
    await signIn(browser);
    const begun = await browser.ask(
      'mutation { totpBegin(input: {}) { ... on TotpBeginPayload { secret } } }',
    );
    const { secret } = begun.data.totpBegin;
    await browser.ask('mutation ($code: String!) { totpConfirm(input: { code: $code }) { __typename } }', {
      code: generateSync({ secret }),
    });
    const again = browserOf('factor');
    expect(outcomeOf(await signIn(again))).toBe('/console#signIn=done');
    const owing = await again.ask('mutation { totpRemove(input: {}) { __typename } }');
    expect(owing.errors[0].extensions.code).toBe('MFA_REQUIRED');
  });

  it('[T-S3] ends the session that the browser was in, which comes back with nobody', async () => {
    idp.people.set('again', { email: 'again@example.org', email_verified: true });
    const browser = await localUser(fixture, 'before-again@example.org');
    browser.setCookie(idp.issuer, 'person', 'again');
    const copied = new Browser(fixture.url);
    copied.setCookie(fixture.url, '__Host-tl_session', browser.cookie('__Host-tl_session')?.value ?? '');
    // Broken off, it ends nothing.
    await browser.go('/auth/oidc/house/start', { until: atCallback });
    expect((await copied.ask(VIEWER)).data.viewer).not.toBeNull();
    expect(outcomeOf(await signIn(browser))).toBe('/console#signIn=done');
    expect((await browser.ask(VIEWER)).data.viewer.email).toBe('again@example.org');
    expect((await copied.ask(VIEWER)).data.viewer).toBeNull();
  });

  it('opens no account that is disabled, and a deleted one is nobody to it', async () => {
    idp.people.set('dora', { email: 'dora@example.org', email_verified: true });
    const browser = browserOf('dora');
    await signIn(browser);
    const { id } = (await browser.ask(VIEWER)).data.viewer;
    await sql`update app_user set disabled_at = now() where id = ${uuidFromId(id)}`.execute(fixture.db);
    const before = await counts(fixture);
    expect(outcomeOf(await signIn(browserOf('dora')))).toBe('/console#signIn=EXTERNAL_SIGN_IN_REFUSED');
    expect(await counts(fixture)).toEqual(before);
    await sql`update app_user set disabled_at = null where id = ${uuidFromId(id)}`.execute(fixture.db);
    const back = browserOf('dora');
    await signIn(back);
    const { data } = await back.ask('mutation { accountDelete(input: {}) { __typename } }');
    expect(data.accountDelete.__typename).toBe('AccountDeletePayload');
    expect((await counts(fixture)).identities).toBe(before.identities - 1);
    const anew = browserOf('dora');
    expect(outcomeOf(await signIn(anew))).toBe('/console#signIn=done');
    expect((await anew.ask(VIEWER)).data.viewer.id).not.toBe(id);
  });

  it('is broken off at the provider, or cannot begin while that is away', async () => {
    expect(outcomeOf(await signIn(new Browser(fixture.url)))).toBe(
      '/console#signIn=EXTERNAL_SIGN_IN_CANCELLED',
    );
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start?returnTo=/console', { until: atCallback });
    idp.state.away = true;
    const page = await browser.go(url, {
      from: idp.issuer,
      until: ({ pathname }) => pathname === '/console',
    });
    expect(outcomeOf(page)).toBe('/console#signIn=EXTERNAL_PROVIDER_UNAVAILABLE');
    idp.state.away = false;
    expect(outcomeOf(await signIn(browser))).toBe('/console#signIn=done');
  });

  it.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/%2f/../..//evil.example',
    '/.//evil.example',
    '/a/../../..//evil.example',
    '/\t/evil.example',
    'console',
    'javascript:alert(1)',
    '/auth/oidc/house/start',
    '/console\r\nset-cookie: a=b',
    `/${'a'.repeat(600)}`,
  ])('[T-S5] goes back to no place but a page of ours: %j', async (returnTo) => {
    const browser = browserOf('ann');
    const response = await browser.request(`/auth/oidc/house/start?returnTo=${encodeURIComponent(returnTo)}`);
    const location = response.headers.get('location');
    if (returnTo === '/%2f/../..//evil.example') {
      // Nothing in it is decoded: it stays a path, or it is refused.
      expect(response.status === 400 || location?.startsWith(idp.issuer)).toBe(true);
      return;
    }
    expect({ status: response.status, location }).toEqual({ status: 400, location: null });
    expect(browser.cookie('__Host-tl_oidc')).toBeUndefined();
  });

  it('serves its two addresses by GET alone, for the providers that are set up', async () => {
    const browser = browserOf('ann');
    const status = async (path: string, method: string) => (await browser.request(path, { method })).status;
    expect(await status('/auth/oidc/house/start', 'POST')).toBe(405);
    expect(await status('/auth/oidc/house/start', 'HEAD')).toBe(405);
    expect(await status('/auth/oidc/house/callback', 'POST')).toBe(405);
    for (const path of ['nobody/start', 'house/stop', 'house', '', '../start', 'house/start/']) {
      expect(await status(`/auth/oidc/${path}`, 'GET')).toBe(404);
    }
    expect(browser.cookie('__Host-tl_oidc')).toBeUndefined();
  });

  it('[T-S5] is begun by no other site', async () => {
    const begin = async (site: string) => {
      const headers = { 'sec-fetch-site': site, 'x-forwarded-for': '192.0.2.99' };
      const response = await fetch(`${fixture.url}/auth/oidc/house/start`, { headers, redirect: 'manual' });
      return { status: response.status, cookies: response.headers.getSetCookie().length };
    };
    expect(await begin('cross-site')).toEqual({ status: 403, cookies: 0 });
    for (const site of ['none', 'same-origin', 'same-site']) {
      expect(await begin(site)).toEqual({ status: 303, cookies: 1 });
    }
  });

  it('[T-S1] is limited by address', async () => {
    const browser = browserOf('ann');
    const starts: string[] = [];
    for (let tries = 0; tries < 22; tries += 1) {
      const response = await browser.request('/auth/oidc/house/start');
      starts.push(response.headers.get('location') ?? '');
    }
    expect(starts.filter((to) => to.startsWith(idp.issuer))).toHaveLength(20);
    expect(starts.at(-1)).toBe(`${fixture.url}/#signIn=RATE_LIMITED`);
  });
});

describe('a flow that comes back', () => {
  it('[T-S5] [T-S3] belongs to the browser that began it', async () => {
    // Login CSRF and code injection: what came back to one browser is given to another.
    const attacker = browserOf('ann');
    const { url } = await attacker.go('/auth/oidc/house/start', { until: atCallback });
    const before = await counts(fixture);
    const stranger = browserOf('ann');
    const response = await stranger.request(url, { from: 'https://evil.example' });
    expect(response.status).toBe(400);
    expect((await response.json()).errors[0].extensions.code).toBe('EXTERNAL_SIGN_IN_REFUSED');
    expect(stranger.cookie('__Host-tl_session')).toBeUndefined();
    const victim = browserOf('ann');
    await victim.go('/auth/oidc/house/start', { until: atCallback });
    expect((await victim.request(url, { from: 'https://evil.example' })).status).toBe(400);
    expect(await counts(fixture)).toEqual(before);
    // It hurt nobody's own: both go on.
    expect(victim.cookie('__Host-tl_oidc')).toBeDefined();
    expect(outcomeOf(await attacker.go(url, { until: ({ hash }) => hash !== '' }))).toBe('/#signIn=done');
  });

  it('[T-S5] counts once', async () => {
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start', { until: atCallback });
    const flow = browser.cookie('__Host-tl_oidc')?.value ?? '';
    expect(browser.cookie('__Host-tl_oidc')?.attributes).toMatch(
      /^Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(outcomeOf(await browser.go(url, { until: ({ hash }) => hash !== '' }))).toBe('/#signIn=done');
    const before = await counts(fixture);
    const asked = idp.asked.length;
    expect((await browser.request(url)).status).toBe(400);
    browser.setCookie(fixture.url, '__Host-tl_oidc', flow);
    expect(outcomeOf(await browser.go(url, { until: ({ hash }) => hash !== '' }))).toBe(
      '/#signIn=EXTERNAL_SIGN_IN_REFUSED',
    );
    expect(await counts(fixture)).toEqual(before);
    // It was not left to the provider to notice.
    expect(idp.asked.length).toBe(asked);
  });

  it('[T-S5] counts once of many that come at once', async () => {
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start', { until: atCallback });
    const before = await counts(fixture);
    const cookie = `__Host-tl_oidc=${browser.cookie('__Host-tl_oidc')?.value}`;
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const headers = { cookie, 'x-forwarded-for': browser.address };
        const response = await fetch(url, { redirect: 'manual', headers });
        return response.headers.get('location')?.split('#signIn=')[1];
      }),
    );
    expect(outcomes.toSorted()).toEqual([...Array(7).fill('EXTERNAL_SIGN_IN_REFUSED'), 'done']);
    expect(await counts(fixture)).toEqual({ ...before, sessions: before.sessions + 1 });
  });

  it.each([
    ['another state', (url: URL) => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', (url: URL) => url.searchParams.delete('state')],
  ])('[T-S5] is refused with %s, and not used up by it', async (_what, change) => {
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start', { until: atCallback });
    const changed = new URL(url);
    change(changed);
    expect((await browser.request(changed)).status).toBe(400);
    expect(outcomeOf(await browser.go(url, { until: ({ hash }) => hash !== '' }))).toBe('/#signIn=done');
  });

  it.each([
    ['the issuer of another provider', (url: URL) => url.searchParams.set('iss', 'https://evil.example')],
    ['no issuer, where one is announced', (url: URL) => url.searchParams.delete('iss')],
    ['two states', (url: URL) => url.searchParams.append('state', 'x')],
    ['another code', (url: URL) => url.searchParams.set('code', 'x'.repeat(43))],
    ['no code', (url: URL) => url.searchParams.delete('code')],
  ])('[T-S5] is refused with %s', async (_what, change) => {
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start', { until: atCallback });
    const before = await counts(fixture);
    change(url);
    const page = await browser.go(url, { until: ({ hash }) => hash !== '' });
    expect(outcomeOf(page)).toBe('/#signIn=EXTERNAL_SIGN_IN_REFUSED');
    expect(browser.cookie('__Host-tl_session')).toBeUndefined();
    expect(await counts(fixture)).toEqual(before);
  });

  it('[T-S5] opens only as it was sealed', async () => {
    const browser = browserOf('ann');
    const { url } = await browser.go('/auth/oidc/house/start', { until: atCallback });
    const flow = browser.cookie('__Host-tl_oidc')?.value ?? '';
    const bytes = Buffer.from(flow, 'base64url');
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    for (const forged of [bytes.toString('base64url'), '', 'x', flow.slice(0, -4), 'A'.repeat(5_000)]) {
      browser.setCookie(fixture.url, '__Host-tl_oidc', forged);
      expect((await browser.request(url)).status).toBe(400);
    }
    expect(browser.cookie('__Host-tl_session')).toBeUndefined();
  });
});

describe('linking an identity', () => {
  const linkStart = async (browser: Browser, provider = 'house') =>
    (await browser.ask(LINK_START, { input: { provider, returnTo: '/console' } })).data
      .externalIdentityLinkStart;
  const link = async (browser: Browser) => {
    const { url } = await linkStart(browser);
    return browser.go(url, { until: ({ pathname }) => pathname === '/console' });
  };

  it('[T-S5] opens the account from then on, whatever address the provider tells', async () => {
    idp.people.set('lena', { email: 'elsewhere@example.org', email_verified: false });
    const browser = await localUser(fixture, 'lena@example.org');
    browser.setCookie(idp.issuer, 'person', 'lena');
    expect(outcomeOf(await link(browser))).toBe('/console#signIn=linked');
    expect(await audited(fixture, 1)).toEqual(['externalIdentityLink DONE']);
    const { viewer } = (await browser.ask(VIEWER)).data;
    expect(viewer.externalIdentities).toEqual([
      { id: expect.stringMatching(/^xid_/), provider: 'house', lastUsedAt: null },
    ]);
    const elsewhere = browserOf('lena');
    expect(outcomeOf(await signIn(elsewhere))).toBe('/console#signIn=done');
    expect((await elsewhere.ask(VIEWER)).data.viewer).toMatchObject({
      id: viewer.id,
      email: 'lena@example.org',
    });
    // Once more changes nothing.
    expect(outcomeOf(await link(browser))).toBe('/console#signIn=linked');
    expect((await browser.ask(VIEWER)).data.viewer.externalIdentities).toHaveLength(1);
    // Both were told by mail, sealed.
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from outgoing_mail where user_id = ${uuidFromId(viewer.id)}`.execute(
      fixture.db,
    );
    expect(rows[0]?.count).toBe(2); // the code for the address, and this
  });

  it('[T-S5] takes it from nobody, and tells nothing of them', async () => {
    const other = await localUser(fixture, 'other-lena@example.org');
    other.setCookie(idp.issuer, 'person', 'lena');
    const before = await counts(fixture);
    expect(outcomeOf(await link(other))).toBe('/console#signIn=EXTERNAL_IDENTITY_TAKEN');
    expect(await counts(fixture)).toEqual(before);
    expect(await audited(fixture, 1)).toEqual(['externalIdentityLink REFUSED EXTERNAL_IDENTITY_TAKEN']);
  });

  it('[T-S5] [T-S3] needs the very sign-in that began it', async () => {
    idp.people.set('nora', { email: 'nora@example.org', email_verified: true });
    const browser = await localUser(fixture, 'nora-here@example.org');
    browser.setCookie(idp.issuer, 'person', 'nora');
    const begun = await linkStart(browser);
    const { url } = await browser.go(begun.url, { until: atCallback });
    const flow = browser.cookie('__Host-tl_oidc')?.value ?? '';
    await browser.ask('mutation { signOut(input: {}) { __typename } }');
    const page = await browser.go(url, {
      from: idp.issuer,
      until: ({ pathname }) => pathname === '/console',
    });
    expect(outcomeOf(page)).toBe('/console#signIn=EXTERNAL_SIGN_IN_REFUSED');
    // Another account in the same browser is not linked by what the first one began.
    const first = await localUser(fixture, 'nora-first@example.org');
    first.setCookie(idp.issuer, 'person', 'nora');
    const second = await localUser(fixture, 'nora-second@example.org');
    const anew = await linkStart(first);
    const { url: back } = await first.go(anew.url, { until: atCallback });
    second.setCookie(fixture.url, '__Host-tl_oidc', first.cookie('__Host-tl_oidc')?.value ?? '');
    const crossed = await second.go(back, { until: ({ pathname }) => pathname === '/console' });
    expect(outcomeOf(crossed)).toBe('/console#signIn=EXTERNAL_SIGN_IN_REFUSED');
    for (const each of [first, second]) {
      expect((await each.ask(VIEWER)).data.viewer.externalIdentities).toEqual([]);
    }
    expect(flow).not.toBe('');
  });

  it('[T-S4] [T-S5] and unlinking it need a fresh factor and somebody signed in', async () => {
    const browser = await localUser(fixture, 'stale@example.org');
    const { id } = (await browser.ask(VIEWER)).data.viewer;
    await sql`update user_session set created_at = now() - interval '6 minutes' where user_id = ${uuidFromId(id)}`.execute(
      fixture.db,
    );
    // The process remembers who came with what for some seconds.
    await fixture.bus.notify('access', id);
    const ask = async (by: Browser, document: string, input: object) =>
      (await by.ask(document, { input })).errors?.[0].extensions.code;
    const start = { provider: 'house', returnTo: '/' };
    const unlink = { externalIdentityId: 'xid_0' };
    expect(await ask(browser, LINK_START, start)).toBe('STEP_UP_REQUIRED');
    expect(await ask(browser, UNLINK, unlink)).toBe('STEP_UP_REQUIRED');
    const nobody = new Browser(fixture.url);
    expect(await ask(nobody, LINK_START, start)).toBe('UNAUTHENTICATED');
    expect(await ask(nobody, UNLINK, unlink)).toBe('UNAUTHENTICATED');
  });

  it('[T-S5] leaves no way in behind for who does not read the address of the account', async () => {
    // Somebody signs up with a stranger's address and links an identity of their own: the stranger would share the account later.
    const attacker = await localUser(fixture, 'stranger@example.org', { verified: false });
    expect(await linkStart(attacker)).toEqual({
      __typename: 'EmailUnverifiedError',
      code: 'EMAIL_UNVERIFIED',
    });
    const { id } = (await attacker.ask(VIEWER)).data.viewer;
    const set = (at: string | null) =>
      sql`update app_user set email_verified_at = ${at} where id = ${uuidFromId(id)}`.execute(fixture.db);
    await set('2026-01-01');
    attacker.setCookie(idp.issuer, 'person', 'lena-2');
    idp.people.set('lena-2', {});
    const { url } = await linkStart(attacker);
    await set(null);
    const page = await attacker.go(url, { until: ({ pathname }) => pathname === '/console' });
    expect(outcomeOf(page)).toBe('/console#signIn=EMAIL_UNVERIFIED');
    expect((await attacker.ask(VIEWER)).data.viewer.externalIdentities).toEqual([]);
  });

  it('is refused for what is not set up and for pages that are not ours', async () => {
    const browser = await localUser(fixture, 'picky@example.org');
    expect(await linkStart(browser, 'nobody')).toMatchObject({ code: 'EXTERNAL_PROVIDER_UNKNOWN' });
    const input = { provider: 'house', returnTo: '//evil.example' };
    const { data } = await browser.ask(LINK_START, { input });
    expect(data.externalIdentityLinkStart).toMatchObject({ code: 'INVALID_INPUT' });
    expect(browser.cookie('__Host-tl_oidc')).toBeUndefined();
  });
});

describe('unlinking an identity', () => {
  const unlink = async (browser: Browser, externalIdentityId: string) =>
    (await browser.ask(UNLINK, { input: { externalIdentityId } })).data.externalIdentityUnlink;

  it('[T-S5] is refused when nothing else would open the account', async () => {
    idp.people.set('solo', { email: 'solo@example.org', email_verified: true });
    const browser = browserOf('solo');
    await signIn(browser);
    const [{ id }] = (await browser.ask(VIEWER)).data.viewer.externalIdentities;
    const before = await counts(fixture);
    expect(await unlink(browser, id)).toEqual({ __typename: 'LastSignInWayError', code: 'LAST_SIGN_IN_WAY' });
    expect(await counts(fixture)).toEqual(before);
  });

  it('[T-S5] ends the sign-ins that came by it, but for the one that asks', async () => {
    idp.people.set('uma', { email: 'uma@example.org', email_verified: true });
    const browser = browserOf('uma');
    await signIn(browser);
    const [{ id }] = (await browser.ask(VIEWER)).data.viewer.externalIdentities;
    const elsewhere = browserOf('uma');
    await signIn(elsewhere);
    // A password of her own, as the code from the mail would set it.
    await browser.ask(
      'mutation ($password: String!) { passwordChange(input: { password: $password }) { __typename } }',
      {
        password: 'grapefruit-lantern-elbow-61',
      },
    );
    const third = browserOf('uma');
    await signIn(third);
    expect((await browser.ask(VIEWER)).data.viewer.hasPassword).toBe(true);
    expect(await unlink(browser, id)).toEqual({
      __typename: 'ExternalIdentityUnlinkPayload',
      externalIdentities: [],
    });
    expect((await browser.ask(VIEWER)).data.viewer).not.toBeNull();
    for (const ended of [elsewhere, third]) expect((await ended.ask(VIEWER)).data.viewer).toBeNull();
    expect(outcomeOf(await signIn(browserOf('uma')))).toBe('/console#signIn=EXTERNAL_IDENTITY_NOT_LINKED');
    expect(await unlink(browser, id)).toMatchObject({ code: 'EXTERNAL_IDENTITY_NOT_FOUND' });
  });

  it("[T-I6] reaches nobody else's", async () => {
    idp.people.set('vera', { email: 'vera@example.org', email_verified: true });
    const vera = browserOf('vera');
    await signIn(vera);
    const [{ id }] = (await vera.ask(VIEWER)).data.viewer.externalIdentities;
    const other = await localUser(fixture, 'not-vera@example.org');
    expect(await unlink(other, id)).toMatchObject({ code: 'EXTERNAL_IDENTITY_NOT_FOUND' });
    expect((await vera.ask(VIEWER)).data.viewer.externalIdentities).toHaveLength(1);
  });
});

it("[T-I1] shows nobody else's identities, not to an administrator either", async () => {
  idp.people.set('private', { email: 'private@example.org', email_verified: true });
  const browser = browserOf('private');
  await signIn(browser);
  const { id } = (await browser.ask(VIEWER)).data.viewer;
  const [account] = await loadAccounts(fixture, [id]);
  const context = (viewer: Partial<SignedInUser>) =>
    ({ viewer, services: { db: fixture.db, externalProviders: { clerk: null, oidc: new Map() } } }) as never;
  const shown = (viewer: Partial<SignedInUser>) =>
    userExternalIdentities(account ?? expect.fail('there is an account'), {}, context(viewer));
  expect(await shown({ kind: 'USER', userId: id, platformRole: 'USER' })).toHaveLength(1);
  expect(await shown({ kind: 'USER', userId: newId('user', 1), platformRole: 'ADMIN' })).toBeNull();
  expect(await shown({ kind: 'OPERATOR' } as never)).toBeNull();
});

it('tells pages what is set up, and nothing that is secret', async () => {
  const { data } = await new Browser(fixture.url).ask(
    '{ signInProviders { kind name title opensAccounts startPath publishableKey } }',
  );
  expect(data.signInProviders).toEqual([
    {
      kind: 'OIDC',
      name: 'house',
      title: 'The house',
      opensAccounts: true,
      startPath: '/auth/oidc/house/start',
      publishableKey: null,
    },
  ]);
});
