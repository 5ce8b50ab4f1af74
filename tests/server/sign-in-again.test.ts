import { generateSync } from 'otplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../src/auth/sessions/session-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { GOOD_PASSWORD } from '../auth/accounts/support.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

const COOKIE = '__Host-tl_session';
const SIGN_UP = 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }';
const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) {
  __typename ... on SignInPayload { factorOwed } } }`;
const SESSIONS = '{ viewerSessions { id isCurrent } }';
const BEGIN = 'mutation { totpBegin(input: {}) { ... on TotpBeginPayload { secret } } }';
const CONFIRM = `mutation ($code: String!) { totpConfirm(input: { code: $code }) {
  ... on TotpConfirmPayload { recoveryCodes } } }`;
const VERIFY = 'mutation ($input: MfaVerifyInput!) { mfaVerify(input: $input) { __typename } }';

describe.each(['lucia', 'native'] as const)(
  'signing in again from the same browser, sessions by %s',
  (store) => {
    let fixture: ApiFixture;
    let sessions: SessionStore;
    beforeAll(async () => {
      const options = { ...DEFAULT_SESSION_OPTIONS, store };
      fixture = await startApiFixture({ session: options });
      sessions = createSessionStore({ ...fixture, clock: systemClock }, options);
      for (const email of ['one@example.test', 'two@example.test', 'three@example.test']) {
        const { data } = await browser().ask(SIGN_UP, { input: { email, password: GOOD_PASSWORD } });
        expect(data.signUp.__typename).toBe('SignUpPayload');
      }
    });
    afterAll(() => fixture[Symbol.asyncDispose]());

    /** Keeps the cookie that it was last given. */
    function browser() {
      const state = { token: '' };
      // The answer's type is the caller's business: it wrote the document.
      // biome-ignore lint/suspicious/noExplicitAny: see above
      const ask = async (query: string, variables: object = {}): Promise<any> => {
        const response = await fetch(`${fixture.url}/graphql`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'x-tallylight-csrf': '1',
            ...(state.token === '' ? {} : { cookie: `${COOKIE}=${state.token}` }),
          },
          body: JSON.stringify({ query, variables }),
        });
        for (const line of response.headers.getSetCookie()) {
          const given = /^__Host-tl_session=([a-z2-7]{40});/.exec(line)?.[1];
          if (given !== undefined) state.token = given;
        }
        return response.json();
      };
      const enter = async (email: string, password = GOOD_PASSWORD) =>
        (await ask(SIGN_IN, { input: { email, password } })).data.signIn;
      return { state, ask, enter };
    }

    it('[T-S3] ends the session of before, whoever copied its cookie', async () => {
      const mine = browser();
      await mine.enter('one@example.test');
      const { viewer } = (await mine.ask('{ viewer { id } }')).data;
      const copied = mine.state.token;
      expect(await sessions.validate(copied)).not.toBeNull();
      await mine.enter('one@example.test');
      expect(mine.state.token).not.toBe(copied);
      expect(await sessions.validate(copied)).toBeNull();
      expect(await sessions.list(viewer.id)).toHaveLength(1);
      // Somebody else on the same computer takes the place of who was there.
      const before = mine.state.token;
      await mine.enter('two@example.test');
      expect(await sessions.validate(before)).toBeNull();
      expect(await sessions.list(viewer.id)).toHaveLength(0);
    });

    it('[T-S3] ends nothing when the password is wrong, nor what other browsers have', async () => {
      const [mine, other] = [browser(), browser()];
      await mine.enter('three@example.test');
      await other.enter('three@example.test');
      expect((await mine.enter('three@example.test', 'wrong')).__typename).toBe('InvalidCredentialsError');
      expect(await sessions.validate(mine.state.token)).not.toBeNull();
      await mine.enter('three@example.test');
      expect(await sessions.validate(other.state.token)).not.toBeNull();
      expect((await other.ask(SESSIONS)).data.viewerSessions).toHaveLength(2);
    });

    it('[T-S3] [T-S4] ends a session that has shown a factor before the new one has, and each step has one token', async () => {
      const mine = browser();
      await mine.enter('one@example.test');
      const { viewer } = (await mine.ask('{ viewer { id } }')).data;
      const { secret } = (await mine.ask(BEGIN)).data.totpBegin;
      const { data } = await mine.ask(CONFIRM, { code: generateSync({ secret }) });
      const [recoveryCode] = data.totpConfirm.recoveryCodes;
      const verified = mine.state.token;
      expect((await mine.enter('one@example.test')).factorOwed).toBe(true);
      expect(await sessions.validate(verified)).toBeNull();
      const halfway = mine.state.token;
      expect((await mine.ask(SESSIONS)).data.viewerSessions).toHaveLength(1);
      expect((await mine.ask(VERIFY, { input: { recoveryCode } })).data.mfaVerify.__typename).toBe(
        'MfaVerifyPayload',
      );
      expect(await sessions.validate(halfway)).toBeNull();
      expect(await sessions.list(viewer.id)).toMatchObject([{ mfaAt: expect.any(Number) }]);
    });
  },
);
