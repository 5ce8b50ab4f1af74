import { generateSync } from 'otplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../src/auth/sessions/session-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { UserId } from '../../src/lib/ids.ts';
import { insertBareUser } from '../support/account.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

let fixture: ApiFixture;
let sessions: SessionStore;
beforeAll(async () => {
  fixture = await startApiFixture();
  sessions = createSessionStore({ ...fixture, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A browser with the cookie that it was last given. */
interface Browser {
  token: string;
}
const signIn = async (userId: UserId): Promise<Browser> => {
  const { token } = await sessions.create({ userId, mfaAt: null, userAgent: null, address: null });
  return { token };
};
const newUser = () => insertBareUser(fixture);

/** Runs an operation as a browser does: the cookie goes along, and a new one takes its place. */
// The answer's type is the caller's business: it wrote the document.
// biome-ignore lint/suspicious/noExplicitAny: see above
async function ask(browser: Browser, query: string, variables: object = {}): Promise<any> {
  const response = await fetch(`${fixture.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tallylight-csrf': '1',
      cookie: `__Host-tl_session=${browser.token}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  const given = /^__Host-tl_session=([a-z2-7]{40});/.exec(response.headers.get('set-cookie') ?? '')?.[1];
  if (given !== undefined) browser.token = given;
  return response.json();
}

const BEGIN = 'mutation { totpBegin(input: {}) { __typename ... on TotpBeginPayload { secret } } }';
const CONFIRM = `mutation ($code: String!) { totpConfirm(input: { code: $code }) {
  __typename ... on TotpConfirmPayload { recoveryCodes factors { totpSince recoveryCodesLeft } } } }`;
const CHALLENGE =
  'mutation { mfaChallengeBegin(input: {}) { ... on MfaChallengeBeginPayload { kinds passkeyOptions } } }';
const VERIFY = 'mutation ($input: MfaVerifyInput!) { mfaVerify(input: $input) { __typename } }';
const REMOVE = 'mutation { totpRemove(input: {}) { __typename } }';
const FACTORS = '{ secondFactors { totpSince recoveryCodesLeft passkeys { name } } }';

async function enrolled(browser: Browser): Promise<readonly string[]> {
  const { secret } = (await ask(browser, BEGIN)).data.totpBegin;
  const { data } = await ask(browser, CONFIRM, { code: generateSync({ secret }) });
  expect(data.totpConfirm.__typename).toBe('TotpConfirmPayload');
  return data.totpConfirm.recoveryCodes;
}

describe('second factors by the API', () => {
  it('[T-S3] [T-S4] are added under a new cookie, and the old one opens nothing', async () => {
    const browser = await signIn(await newUser());
    const before = browser.token;
    expect(await enrolled(browser)).toHaveLength(10);
    expect(browser.token).not.toBe(before);
    expect((await ask({ token: before }, FACTORS)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
    const { secondFactors } = (await ask(browser, FACTORS)).data;
    expect(secondFactors).toMatchObject({ recoveryCodesLeft: 10, passkeys: [] });
  });

  it('[T-S4] are owed by the next sign-in, which can take nothing away before', async () => {
    const userId = await newUser();
    const [recoveryCode = ''] = await enrolled(await signIn(userId));
    const thief = await signIn(userId); // has the password and nothing else
    expect((await ask(thief, REMOVE)).errors[0].extensions.code).toBe('MFA_REQUIRED');
    expect((await ask(thief, BEGIN)).errors[0].extensions.code).toBe('STEP_UP_REQUIRED');
    expect((await ask(thief, CHALLENGE)).data.mfaChallengeBegin).toEqual({
      kinds: ['CODE', 'RECOVERY_CODE'],
      passkeyOptions: null,
    });
    for (const input of [{ code: '000000' }, { recoveryCode: 'x' }, { password: 'right' }]) {
      const { mfaVerify } = (await ask(thief, VERIFY, { input })).data;
      expect(mfaVerify).toEqual({ __typename: 'FactorRefusedError' });
    }
    const before = thief.token;
    expect((await ask(thief, VERIFY, { input: { recoveryCode } })).data.mfaVerify.__typename).toBe(
      'MfaVerifyPayload',
    );
    expect(thief.token).not.toBe(before);
    expect((await ask(thief, REMOVE)).data.totpRemove.__typename).toBe('TotpRemovePayload');
  });

  it('takes one proof at a time', async () => {
    const browser = await signIn(await newUser());
    for (const input of [{}, { code: '000000', password: 'x' }, { code: null }]) {
      expect((await ask(browser, VERIFY, { input })).errors).toHaveLength(1);
    }
  });

  it('[T-S4] belong to people: keys and strangers have none', async () => {
    const answer = await fixture.ask(FACTORS);
    expect(answer.errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await ask({ token: 'a'.repeat(40) }, BEGIN)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});
