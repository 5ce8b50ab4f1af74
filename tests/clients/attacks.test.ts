import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import { operationHash } from '../../src/clients/operation.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, type UserId, uuidFromId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { GOOD_PASSWORD } from '../auth/accounts/support.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { openSocket } from '../server/socket-client.ts';
import { insertBareUser } from '../support/account.ts';
import { type Ask, askByCookie } from '../support/browser-sign-in.ts';

const CHANNEL = 'query Mine($id: ID!) { channel(id: $id) { id } }';
const SIGN_IN = 'mutation SignIn($input: SignInInput!) { signIn(input: $input) { __typename } }';
const byId = (document: string) => ({
  extensions: { persistedQuery: { version: 1, sha256Hash: operationHash(document) } },
});

const lines: string[] = [];
let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture({
    logger: createLogger('debug', { write: (line) => void lines.push(line) }),
  });
});
afterAll(() => fixture[Symbol.asyncDispose]());

interface Owner {
  readonly userId: UserId;
  readonly channelId: ChannelId;
  readonly ask: Ask;
}

/** Somebody who owns a channel of their own and nothing else. */
async function owner(handle: string): Promise<Owner> {
  const { db, vault, bus } = fixture;
  const userId = await insertBareUser(fixture);
  const { id: channelId } = await fixture.channel(handle);
  await db
    .insertInto('channel_member')
    .values({ channel_id: uuidFromId(channelId), user_id: uuidFromId(userId), role: 'OWNER' })
    .execute();
  const sessions = createSessionStore({ db, vault, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const { token } = await sessions.create({ userId, mfaAt: null, userAgent: null, address: null });
  return { userId, channelId, ask: askByCookie(fixture.url, token) };
}

const CREATE = `mutation ($input: ClientCreateInput!) { clientCreate(input: $input) {
  ... on ClientCreatePayload { client { id } } ... on UserError { code } } }`;
const KEY = `mutation ($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) {
  ... on ClientKeyCreatePayload { secret key { id } } ... on UserError { code } } }`;
const PUBLISH = `mutation ($input: ClientOperationsPublishInput!) { clientOperationsPublish(input: $input) {
  ... on ClientOperationsPublishPayload { version } ... on UserError { code }
  ... on OperationsRefusedError { problems { index message } } } }`;

async function client({ ask, channelId }: Owner, settings: object = {}) {
  const made = await ask(CREATE, { input: { channelId, name: 'Board', ...settings } });
  const clientId = String(made.data.clientCreate.client.id);
  const { data } = await ask(KEY, { input: { clientId, scopes: ['EVENTS_READ'], expiresInDays: 30 } });
  const { secret, key } = data.clientKeyCreate;
  return { clientId, secret: String(secret), keyId: String(key.id) };
}

describe('an owner', () => {
  it("[T-E2] [T-E4] touches no client of somebody else's channel: there is none", async () => {
    const [mine, theirs] = [await owner('attacks.mine'), await owner('attacks.theirs')];
    const victim = await client(theirs);
    const operations = [{ name: 'Mine', document: CHANNEL }];
    const clientId = victim.clientId;
    const attempts: readonly (readonly [string, object, string])[] = [
      [PUBLISH, { clientId, operations }, 'CLIENT_NOT_FOUND'],
      [KEY, { clientId, scopes: ['EVENTS_PII'], expiresInDays: 30 }, 'CLIENT_NOT_FOUND'],
      [CREATE, { channelId: theirs.channelId, name: 'Board' }, 'CHANNEL_NOT_FOUND'],
      [
        'mutation ($input: ClientUpdateInput!) { clientUpdate(input: $input) { ... on UserError { code } } }',
        { clientId, allowedOrigins: ['https://evil.example'] },
        'CLIENT_NOT_FOUND',
      ],
      [
        'mutation ($input: ClientDeleteInput!) { clientDelete(input: $input) { ... on UserError { code } } }',
        { clientId },
        'CLIENT_NOT_FOUND',
      ],
      [
        'mutation ($input: ClientKeyRevokeInput!) { clientKeyRevoke(input: $input) { ... on UserError { code } } }',
        { keyId: victim.keyId },
        'CLIENT_KEY_NOT_FOUND',
      ],
    ];
    for (const [query, input, code] of attempts) {
      const { data } = await mine.ask(query, { input });
      expect([query, Object.values(data)]).toEqual([query, [{ code }]]);
    }
    expect(
      (await mine.ask('query ($id: ID!) { client(id: $id) { id } }', { id: clientId })).data.client,
    ).toBe(null);
    const seen = await theirs.ask(
      'query ($id: ID!) { client(id: $id) { manifestVersion allowedOrigins keys { id revokedAt } } }',
      { id: clientId },
    );
    expect(seen.data.client).toEqual({
      manifestVersion: 0,
      allowedOrigins: [],
      keys: [{ id: victim.keyId, revokedAt: null }],
    });
  });

  it('[T-I5] publishes nothing that cannot be kept, and is told so', async () => {
    const me = await owner('attacks.nul');
    const { clientId } = await client(me);
    const document = `# \0\n${CHANNEL}`;
    const { data, errors } = await me.ask(PUBLISH, {
      input: { clientId, operations: [{ name: 'Mine', document }] },
    });
    expect(errors).toBeUndefined();
    expect(data.clientOperationsPublish).toMatchObject({
      code: 'OPERATIONS_REFUSED',
      problems: [{ index: 0 }],
    });
  });

  it('[T-D4] pays for every document that is to be checked', async () => {
    const me = await owner('attacks.cost');
    const { clientId } = await client(me);
    const publish = async (count: number) => {
      const operations = Array.from({ length: count }, (_, index) => ({
        name: `Mine${index}`,
        document: CHANNEL.replace('Mine', `Mine${index}`),
      }));
      const answer = await me.ask(PUBLISH, { input: { clientId, operations } });
      return [answer.data.clientOperationsPublish.version, answer.extensions.cost.requested];
    };
    const [[, few = 0], [version, many]] = [await publish(1), await publish(201)];
    expect(version).toBe(2);
    expect(many).toBe(few + 3 * 200);
  });
});

describe('the key of a client', () => {
  it('[T-I4] stands in no log line and no audit entry, which name the key by its id', async () => {
    const me = await owner('attacks.log');
    const { clientId, secret, keyId } = await client(me);
    await fixture.post({ ...byId(CHANNEL) }, secret);
    await fixture.post({ ...byId(CHANNEL) }, `${secret.slice(0, -1)}!`);
    await fixture.post({ query: `{ channel(id: "${secret}") { id } }` }, secret);
    using socket = await openSocket(fixture.url, { key: secret });
    socket.send({ type: 'nonsense', payload: { key: secret } });
    await socket.closed;
    const rows = await fixture.db.selectFrom('audit_entry').selectAll().execute();
    const mine = rows.filter(({ actor_id }) => actor_id === me.userId);
    expect(mine).toMatchObject([
      { action: 'clientCreate', target: clientId, channel_id: expect.any(String) },
      { action: 'clientKeyCreate', target: clientId, details: { made: keyId } },
    ]);
    // Who looks for what was done in a channel finds what was done to its clients.
    const channel = uuidFromId(me.channelId);
    expect(mine.map((row) => row.channel_id?.replaceAll('-', ''))).toEqual([channel, channel]);
    const kept = JSON.stringify([rows, lines], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(lines.length).toBeGreaterThan(0);
    expect(kept).not.toContain(secret.slice(12));
  });

  it('[T-S3] signs nobody in: a page of a client cannot put a session into the browser', async () => {
    const me = await owner('attacks.signin');
    const origin = 'https://board.example';
    const { clientId, secret } = await client(me, { allowedOrigins: [origin] });
    await me.ask(PUBLISH, { input: { clientId, operations: [{ name: 'SignIn', document: SIGN_IN }] } });
    const input = { email: 'attacker@example.test', password: GOOD_PASSWORD };
    const signedUp = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1' },
      body: JSON.stringify({
        query: 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }',
        variables: { input },
      }),
    });
    expect((await signedUp.json()).data.signUp.__typename).toBe('SignUpPayload');
    const response = await fixture.post({ ...byId(SIGN_IN), variables: { input } }, secret, { origin });
    expect((await response.json()).errors[0].extensions.code).toBe('COOKIE_NEEDED');
    expect(response.headers.get('set-cookie')).toBeNull();
    // The browser is told to send no cookies along either.
    expect(response.headers.get('access-control-allow-origin')).toBe(origin);
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  });
});
