import { sql } from 'kysely';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { chromiumPath, launchChromium } from '../../support/browser.ts';
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import { GOOD_PASSWORD, settingsFor } from './support.ts';

const path = chromiumPath();

/** What a page of ours does, in the page: with the cookies that a real browser sends along. */
const ASK = `async ([query, variables]) => (await fetch('/graphql', {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1' },
  body: JSON.stringify({ query, variables }),
})).json()`;

describe.skipIf(path === undefined)('a real browser', () => {
  let idp: IdentityProvider;
  let fixture: ApiFixture;
  let cleanup: AsyncDisposableStack;
  let context: BrowserContext;
  beforeAll(async () => {
    cleanup = new AsyncDisposableStack();
    // By name: to a browser another site than ours, which is reached by address.
    idp = cleanup.use(
      await startIdentityProvider(() => [`${fixture.url}/auth/oidc/house/callback`], { host: 'localhost' }),
    );
    fixture = cleanup.use(
      await startApiFixture({ external: { clerk: null, oidc: [settingsFor(idp, 'house')] } }),
    );
    const browser = await launchChromium(path ?? '');
    cleanup.defer(() => browser.close());
    context = await browser.newContext();
    await context.addCookies([{ name: 'person', value: 'chris', url: idp.issuer }]);
    // Somebody does something there: from then on it is the provider's site that sends the browser back.
    idp.state.asks = true;
    idp.people.set('chris', { email: 'chris@example.org', email_verified: true, name: 'Chris' });
  });
  afterAll(() => cleanup.disposeAsync());

  /** Asks from within a page of ours. */
  // The answer's type is the caller's business: it wrote the document.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const ask = (page: Page, query: string, variables: object = {}): Promise<any> =>
    page.evaluate(`(${ASK})(${JSON.stringify([query, variables])})`);

  it('[T-S3] [T-S5] brings the flow back from another site, and has the session afterwards', async () => {
    const page = await context.newPage();
    await page.goto(`${fixture.url}/auth/oidc/house/start?returnTo=/overlay/`);
    await page.click('button');
    await page.waitForURL((url) => url.hash !== '');
    expect(page.url()).toBe(`${fixture.url}/overlay/#signIn=done`);
    const cookies = await context.cookies(fixture.url);
    expect(
      cookies
        .map(({ name, sameSite, secure, httpOnly }) => ({ name, sameSite, secure, httpOnly }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    ).toEqual([
      { name: '__Host-tl_device', sameSite: 'Strict', secure: true, httpOnly: true },
      { name: '__Host-tl_session', sameSite: 'Strict', secure: true, httpOnly: true },
    ]);
    expect((await ask(page, '{ viewer { email displayName } }')).data.viewer).toEqual({
      email: 'chris@example.org',
      displayName: 'Chris',
    });
    await page.close();
  });

  it('[T-S5] links with the account that began it, though its session stays behind', async () => {
    idp.people.set('lee', { email: 'elsewhere@example.org', email_verified: true });
    await context.clearCookies();
    await context.addCookies([{ name: 'person', value: 'lee', url: idp.issuer }]);
    const page = await context.newPage();
    await page.goto(`${fixture.url}/overlay/`);
    const input = { email: 'lee@example.org', password: GOOD_PASSWORD };
    await ask(page, 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }', { input });
    await ask(page, 'mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }', { input });
    // As the code from the mail would.
    await sql`update app_user set email_verified_at = now() where email_verified_at is null`.execute(
      fixture.db,
    );
    const { data } = await ask(
      page,
      `mutation { externalIdentityLinkStart(input: { provider: "house", returnTo: "/overlay/" }) {
        ... on ExternalIdentityLinkStartPayload { url } } }`,
    );
    await page.goto(data.externalIdentityLinkStart.url);
    await page.click('button');
    await page.waitForURL((url) => url.hash !== '');
    expect(page.url()).toBe(`${fixture.url}/overlay/#signIn=linked`);
    expect((await ask(page, '{ viewer { email externalIdentities { provider } } }')).data.viewer).toEqual({
      email: 'lee@example.org',
      externalIdentities: [{ provider: 'house' }],
    });
    await page.close();
  });

  it('[T-S5] begins nothing that another site wants begun', async () => {
    await context.clearCookies();
    await context.addCookies([{ name: 'person', value: 'chris', url: idp.issuer }]);
    const page = await context.newPage();
    await page.goto(`${idp.issuer}/.well-known/openid-configuration`);
    const answered = page.waitForResponse(`${fixture.url}/auth/oidc/house/start`);
    await page.evaluate(`location.href = ${JSON.stringify(`${fixture.url}/auth/oidc/house/start`)}`);
    expect((await answered).status()).toBe(403);
    expect(await context.cookies(fixture.url)).toEqual([]);
    await page.close();
  });

  it('[T-S5] does not sign in with what another browser came back with', async () => {
    const begin = await fetch(`${fixture.url}/auth/oidc/house/start`, { redirect: 'manual' });
    const state = new URL(begin.headers.get('location') ?? '').searchParams.get('state');
    await context.clearCookies();
    const page = await context.newPage();
    const response = await page.goto(
      `${fixture.url}/auth/oidc/house/callback?code=x&state=${state}&iss=${encodeURIComponent(idp.issuer)}`,
    );
    expect(response?.status()).toBe(400);
    expect(await context.cookies(fixture.url)).toEqual([]);
    await page.close();
  });
});
