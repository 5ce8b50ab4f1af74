import { sql } from 'kysely';
import type { OidcSettings } from '../../../src/auth/external/oidc/settings.ts';
import { uuidFromId } from '../../../src/lib/ids.ts';
import type { ApiFixture } from '../../server/api-fixture.ts';
import { Browser } from './browser.ts';
import type { IdentityProvider } from './identity-provider.ts';

/** A password nobody guesses. */
export const GOOD_PASSWORD = 'plum-tractor-ninety-gravel';

export const SIGN_UP = 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }';
export const SIGN_IN = 'mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }';
export const VIEWER = `{ viewer { id email emailVerified hasPassword displayName
  externalIdentities { id provider lastUsedAt } } }`;
export const LINK_START = `mutation ($input: ExternalIdentityLinkStartInput!) { externalIdentityLinkStart(input: $input) {
  __typename ... on ExternalIdentityLinkStartPayload { url } ... on UserError { code } } }`;
export const UNLINK = `mutation ($input: ExternalIdentityUnlinkInput!) { externalIdentityUnlink(input: $input) {
  __typename ... on ExternalIdentityUnlinkPayload { externalIdentities { id } } ... on UserError { code } } }`;

/** How we are set up with a provider of the tests. */
export function settingsFor(
  { issuer, clientId, clientSecret }: Pick<IdentityProvider, 'issuer' | 'clientId' | 'clientSecret'>,
  name: string,
  more: Partial<OidcSettings> = {},
): OidcSettings {
  return {
    name,
    title: `The ${name}`,
    issuer,
    clientId,
    clientSecret,
    clientAuthentication: 'client_secret_basic',
    scopes: ['openid', 'email', 'profile'],
    origins: [],
    opensAccounts: true,
    ...more,
  };
}

/** Somebody with an account here, address and password, signed in. Has shown to read the address, unless told otherwise. */
export async function localUser(
  fixture: ApiFixture,
  email: string,
  { verified = true }: { readonly verified?: boolean } = {},
): Promise<Browser> {
  const browser = new Browser(fixture.url);
  const input = { email, password: GOOD_PASSWORD };
  await browser.ask(SIGN_UP, { input });
  const { data } = await browser.ask(SIGN_IN, { input });
  if (data.signIn.__typename !== 'SignInPayload') throw new Error('a new account signs in');
  if (!verified) return browser;
  const { id } = (await browser.ask(VIEWER)).data.viewer;
  await sql`update app_user set email_verified_at = now() where id = ${uuidFromId(id)}`.execute(fixture.db);
  return browser;
}

/** How many accounts, identities and sessions there are. */
export async function counts(
  fixture: ApiFixture,
): Promise<{ users: number; identities: number; sessions: number }> {
  const { rows } = await sql<{ users: number; identities: number; sessions: number }>`
    select (select count(*)::int from app_user) as users, (select count(*)::int from external_identity) as identities,
      (select count(*)::int from user_session) as sessions`.execute(fixture.db);
  const [row] = rows;
  if (row === undefined) throw new Error('counting gives a row');
  return row;
}

/** The newest entries of the audit log, newest first: action, outcome, code. */
export async function audited(fixture: ApiFixture, count: number): Promise<readonly string[]> {
  const { rows } = await sql<{ action: string; outcome: string; code: string | null }>`
    select action, outcome, code from audit_entry order by sequence desc limit ${count}`.execute(fixture.db);
  return rows.map(({ action, outcome, code }) =>
    [action, outcome, ...(code === null ? [] : [code])].join(' '),
  );
}
