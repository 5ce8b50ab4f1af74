import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { notifyAccessChanged } from '../../src/auth/access-topic.ts';
import { issueOneTimeToken } from '../../src/auth/accounts/one-time-tokens.ts';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../src/auth/sessions/session-store.ts';
import { newSessionToken } from '../../src/auth/sessions/session-token.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { idFromUuid, type UserId, uuidFromId } from '../../src/lib/ids.ts';
import { insertBareUser } from '../support/account.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

const BROWSER = { mfaAt: null, userAgent: 'Firefox', address: '192.0.2.1' };
const COOKIE = '__Host-tl_session';
let fixture: ApiFixture;
/** Another process of the same installation. */
let sessions: SessionStore;
beforeAll(async () => {
  fixture = await startApiFixture();
  sessions = createSessionStore({ ...fixture, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
});
afterAll(() => fixture[Symbol.asyncDispose]());

const signIn = async () => {
  const userId = await insertBareUser(fixture);
  return { userId, ...(await sessions.create({ userId, ...BROWSER })) };
};
const post = (headers: Readonly<Record<string, string>>, query: string, variables: object = {}) =>
  fetch(`${fixture.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1', ...headers },
    body: JSON.stringify({ query, variables }),
  });
// The answer's type is the caller's business: it wrote the document.
const ask = async (
  headers: Readonly<Record<string, string>>,
  query: string,
  variables: object = {},
  // biome-ignore lint/suspicious/noExplicitAny: see above
): Promise<any> => (await post(headers, query, variables)).json();
const byCookie = (token: string) => ({ cookie: `${COOKIE}=${token}` });
const byToken = (token: string) => ({ authorization: `Bearer ${token}` });

const LIVE = 'subscription ($channelId: ID!) { eventReceived(channelId: $channelId) { __typename } }';
const SESSIONS = '{ viewerSessions { id isCurrent userAgent address secondFactorAt } }';
const ACCESS_TOKEN =
  'mutation { accessTokenCreate(input: {}) { __typename ... on AccessTokenCreatePayload { accessToken } } }';
const TOKEN_CREATE =
  'mutation { tokenCreate(input: { name: "cli" }) { __typename ... on TokenCreatePayload { accessToken refreshToken family { id name } } } }';
const REFRESH =
  'mutation ($refreshToken: String!) { tokenRefresh(input: { refreshToken: $refreshToken }) { __typename ... on TokenRefreshPayload { accessToken refreshToken } } }';

describe('a sign-in', () => {
  it('lists where its user is signed in, and ends the others', async () => {
    const { userId, token, session } = await signIn();
    const other = await sessions.create({ userId, ...BROWSER });
    const seen = await ask(byCookie(token), SESSIONS);
    expect(seen.data.viewerSessions.toSorted((a: { isCurrent: boolean }) => (a.isCurrent ? -1 : 1))).toEqual([
      { id: session.id, isCurrent: true, userAgent: 'Firefox', address: '192.0.2.1', secondFactorAt: null },
      {
        id: other.session.id,
        isCurrent: false,
        userAgent: 'Firefox',
        address: '192.0.2.1',
        secondFactorAt: null,
      },
    ]);
    const ended = await ask(
      byCookie(token),
      'mutation { sessionRevokeOthers(input: {}) { ... on SessionRevokeOthersPayload { revokedCount } } }',
    );
    expect(ended.data.sessionRevokeOthers).toEqual({ revokedCount: 1 });
    expect(await sessions.list(userId)).toHaveLength(1);
  });

  it("revokes its user's sessions and nobody else's [T-S3]", async () => {
    const [one, stranger] = [await signIn(), await signIn()];
    const revoke =
      'mutation ($id: ID!) { sessionRevoke(input: { sessionId: $id }) { __typename ... on UserError { code } } }';
    for (const id of [stranger.session.id, 'sig_', stranger.userId, '']) {
      const refused = await ask(byCookie(one.token), revoke, { id });
      expect(refused.data.sessionRevoke).toEqual({
        __typename: 'SignInNotFoundError',
        code: 'SIGN_IN_NOT_FOUND',
      });
    }
    expect(await sessions.validate(stranger.token)).not.toBeNull();
    const revoked = await ask(byCookie(one.token), revoke, { id: one.session.id });
    expect(revoked.data.sessionRevoke).toEqual({ __typename: 'SessionRevokePayload' });
    expect((await ask(byCookie(one.token), SESSIONS)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('ends by signing out, which takes the cookie away [T-S3]', async () => {
    const { token } = await signIn();
    const response = await post(
      byCookie(token),
      'mutation { signOut(input: {}) { ... on SignOutPayload { signedOut } } }',
    );
    expect(response.headers.get('set-cookie')).toBe(
      `${COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict`,
    );
    expect(await response.json()).toMatchObject({ data: { signOut: { signedOut: true } } });
    expect(await sessions.validate(token)).toBeNull();
    expect((await ask(byCookie(token), SESSIONS)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('of a new device is let in by a code from the mail, which makes the device known [T-S1]', async () => {
    const input = { email: 'reset@example.test', password: 'plum-tractor-ninety-gravel' };
    const signUp = 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }';
    expect((await ask({}, signUp, { input })).data.signUp.__typename).toBe('SignUpPayload');
    const id = await waitFor(async () => {
      const rows = await fixture.db
        .selectFrom('app_user')
        .select('id')
        .where('email', 'is not', null)
        .execute();
      return rows[0]?.id;
    });
    const token = await fixture.db.transaction().execute((tx) =>
      issueOneTimeToken(tx, {
        kind: 'PASSWORD_RESET',
        userId: idFromUuid('user', id),
        nowMs: systemClock.nowMs(),
      }),
    );
    const reset = 'mutation ($input: PasswordResetInput!) { passwordReset(input: $input) { __typename } }';
    const response = await post({}, reset, { input: { token, password: input.password } });
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-tl_device=[^;]{60,}; Max-Age=15552000; /);
    const wrong = await post({}, reset, { input: { token, password: input.password } });
    expect(wrong.headers.get('set-cookie')).toBeNull();
  });

  it('is never made of a cookie that was there before [T-S3]', async () => {
    const planted = newSessionToken();
    const response = await post(byCookie(planted), '{ __typename }');
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await sessions.validate(planted)).toBeNull();
    expect((await signIn()).token).not.toBe(planted);
    // Two cookies of the name are none: one of them was planted.
    const { token } = await signIn();
    const both = { cookie: `${COOKIE}=${token}; ${COOKIE}=${planted}` };
    expect((await ask(both, SESSIONS)).errors[0].extensions.code).toBe('UNAUTHENTICATED');
    // A stranger's broken cookie hides nothing.
    const broken = { cookie: `x=%E0%A4%A; ${COOKIE}=${token}` };
    expect((await ask(broken, SESSIONS)).data.viewerSessions).toHaveLength(1);
  });

  it('costs no statement for a query that reads nothing', async () => {
    const { token } = await signIn();
    await ask(byCookie(token), '{ __typename }');
    const before = fixture.statements();
    for (let times = 0; times < 20; times += 1) {
      expect(await ask(byCookie(token), '{ __typename }')).toMatchObject({ data: { __typename: 'Query' } });
    }
    expect(fixture.statements()).toBe(before);
  });
});

describe('WebSockets', () => {
  it('are never opened by the cookie [T-S8]', async () => {
    const { token } = await signIn();
    const socket = new WebSocket(`${fixture.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: byCookie(token),
    });
    socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init' })));
    const code = await new Promise((resolve) => socket.once('close', resolve));
    expect(code).toBe(4403);
    for (const payload of [{ key: token }, { token }, { token: { cookie: token } }]) {
      using client = await openSocket(fixture.url);
      client.send({ type: 'connection_init', payload });
      expect((await client.closed).code).toBe(4403);
    }
  });

  it('are opened by a token made from the sign-in, and cut when it is revoked elsewhere [T-S2] [T-S3]', async () => {
    const { userId, token, session } = await signIn();
    const made = await ask(byCookie(token), ACCESS_TOKEN);
    using client = await openSocket(fixture.url);
    client.send({ type: 'connection_init', payload: { token: made.data.accessTokenCreate.accessToken } });
    await client.next('connection_ack');
    client.subscribe('1', SESSIONS);
    const answer = await client.next('next', '1');
    expect(answer.payload.data.viewerSessions).toMatchObject([{ id: session.id, isCurrent: true }]);
    await sessions.revoke({ userId, id: session.id });
    expect(await client.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect((await post(byToken(made.data.accessTokenCreate.accessToken), '{ __typename }')).status).toBe(401);
  });

  it('are cut when the token they came with expires [T-S2]', async () => {
    const { token } = await signIn();
    const made = await ask(
      byCookie(token),
      'mutation { accessTokenCreate(input: { lifetimeSeconds: 10 }) { ... on AccessTokenCreatePayload { accessToken accessTokenExpiresAt } } }',
    );
    const { accessToken, accessTokenExpiresAt } = made.data.accessTokenCreate;
    using client = await openSocket(fixture.url);
    client.send({ type: 'connection_init', payload: { token: accessToken } });
    await client.next('connection_ack');
    expect(await client.closed).toEqual({ code: 4403, reason: 'Token expired' });
    expect(Math.abs(systemClock.nowMs() - Date.parse(accessTokenExpiresAt))).toBeLessThan(3_000);
  });
});

describe('what is open', () => {
  const join = async (userId: UserId, handle: string) => {
    const channel = await fixture.channel(handle);
    await fixture.db
      .insertInto('channel_member')
      .values({ channel_id: uuidFromId(channel.id), user_id: uuidFromId(userId), role: 'MODERATOR' })
      .execute();
    return channel.id;
  };

  it('by the cookie is cut when the sign-in is revoked [T-S3]', async () => {
    const { userId, token, session } = await signIn();
    const channelId = await join(userId, 'open.cookie');
    const response = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'x-tallylight-csrf': '1',
        ...byCookie(token),
      },
      body: JSON.stringify({ query: LIVE, variables: { channelId } }),
    });
    expect(response.status).toBe(200);
    const ended = response.text().then(
      () => 'ended',
      () => 'cut',
    );
    await sessions.revoke({ userId, id: session.id });
    expect(await ended).toBe('cut');
  });

  it('by a token is cut when its user leaves the channel, and not when they join one [T-E2] [T-S2]', async () => {
    const { userId, token } = await signIn();
    const channelId = await join(userId, 'open.left');
    const made = await ask(byCookie(token), ACCESS_TOKEN);
    using client = await openSocket(fixture.url);
    client.send({ type: 'connection_init', payload: { token: made.data.accessTokenCreate.accessToken } });
    await client.next('connection_ack');
    client.subscribe('1', LIVE, { channelId });
    await join(userId, 'open.joined');
    await notifyAccessChanged(fixture.bus, userId);
    client.subscribe('2', '{ __typename }');
    await client.next('next', '2');
    await fixture.db
      .deleteFrom('channel_member')
      .where('channel_id', '=', uuidFromId(channelId))
      .where('user_id', '=', uuidFromId(userId))
      .execute();
    await notifyAccessChanged(fixture.bus, userId);
    expect(await client.closed).toEqual({ code: 4403, reason: 'Forbidden' });
  });
});

describe('tokens for programs', () => {
  it('work until their family is revoked, and make no tokens themselves [T-S2]', async () => {
    const { token } = await signIn();
    const { data } = await ask(byCookie(token), TOKEN_CREATE);
    const { accessToken, family } = data.tokenCreate;
    const list = '{ tokenFamilies { id name isCurrent } }';
    expect((await ask(byToken(accessToken), list)).data.tokenFamilies).toEqual([
      { id: family.id, name: 'cli', isCurrent: true },
    ]);
    expect((await ask(byToken(accessToken), ACCESS_TOKEN)).data.accessTokenCreate.__typename).toBe(
      'SessionRequiredError',
    );
    expect((await ask(byToken(accessToken), TOKEN_CREATE)).errors[0].extensions.code).toBe(
      'STEP_UP_REQUIRED',
    );
    const revoke = 'mutation ($id: ID!) { tokenFamilyRevoke(input: { tokenFamilyId: $id }) { __typename } }';
    const stranger = await signIn();
    expect(
      (await ask(byCookie(stranger.token), revoke, { id: family.id })).data.tokenFamilyRevoke.__typename,
    ).toBe('TokenFamilyNotFoundError');
    expect((await ask(byCookie(token), revoke, { id: family.id })).data.tokenFamilyRevoke.__typename).toBe(
      'TokenFamilyRevokePayload',
    );
    expect((await post(byToken(accessToken), list)).status).toBe(401);
  });

  it('are refreshed by anybody who has the refresh token, and all die when an old one comes back [T-S2]', async () => {
    const { token } = await signIn();
    const { data } = await ask(byCookie(token), TOKEN_CREATE);
    const first = data.tokenCreate.refreshToken;
    const second = (await ask({}, REFRESH, { refreshToken: first })).data.tokenRefresh;
    expect(second.__typename).toBe('TokenRefreshPayload');
    expect((await ask({}, REFRESH, { refreshToken: first })).data.tokenRefresh.__typename).toBe(
      'RefreshTokenRotatedError',
    );
    const third = (await ask({}, REFRESH, { refreshToken: second.refreshToken })).data.tokenRefresh;
    expect((await post(byToken(third.accessToken), '{ __typename }')).status).toBe(200);
    expect((await ask({}, REFRESH, { refreshToken: first })).data.tokenRefresh.__typename).toBe(
      'RefreshTokenInvalidError',
    );
    expect((await ask({}, REFRESH, { refreshToken: third.refreshToken })).data.tokenRefresh.__typename).toBe(
      'RefreshTokenInvalidError',
    );
    for (const accessToken of [data.tokenCreate.accessToken, second.accessToken, third.accessToken]) {
      expect((await post(byToken(accessToken), '{ __typename }')).status).toBe(401);
    }
    // A refresh token is no access token.
    expect((await post(byToken(third.refreshToken), '{ __typename }')).status).toBe(401);
  });

  it('are checked with the published keys, which name no private half [T-S2]', async () => {
    const response = await fetch(`${fixture.url}/.well-known/jwks.json`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=60');
    const { keys } = (await response.json()) as { keys: object[] };
    expect(keys).toHaveLength(2);
    for (const key of keys)
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });
});
