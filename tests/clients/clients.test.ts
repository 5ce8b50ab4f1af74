import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operationHash } from '../../src/clients/operation.ts';
import type { ChannelId } from '../../src/lib/ids.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { openSocket } from '../server/socket-client.ts';
import { waitFor } from '../support/wait.ts';

let fixture: ApiFixture;
let channelId: ChannelId;
beforeAll(async () => {
  fixture = await startApiFixture();
  ({ id: channelId } = await fixture.channel('clients.one'));
});
afterAll(() => fixture[Symbol.asyncDispose]());

const LIVE = 'subscription Live($id: ID!) { eventReceived(channelId: $id) { __typename } }';
const CHANNEL = 'query Mine($id: ID!) { channel(id: $id) { id } }';
const STREAMS = 'query Streams($id: ID!) { channel(id: $id) { streams(first: 1) { edges { cursor } } } }';
const DEEP = `query Deep { channels { ${'edges { node { streams { '.repeat(6)}__typename${' } } }'.repeat(6)} } }`;

async function makeClient(more: object = {}): Promise<string> {
  const { data } = await fixture.ask(
    `mutation ($input: ClientCreateInput!) { clientCreate(input: $input) {
      ... on ClientCreatePayload { client { id } } ... on UserError { code message } } }`,
    { input: { channelId, name: 'Board', ...more } },
  );
  return data.clientCreate.client.id;
}

/** The answer of `clientKeyCreate`. */
async function makeKey(clientId: string, scopes: readonly string[] = ['EVENTS_READ']) {
  const { data } = await fixture.ask(
    `mutation ($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) {
      ... on ClientKeyCreatePayload { secret key { id prefix scopes } } ... on UserError { code } } }`,
    { input: { clientId, scopes, expiresInDays: 30 } },
  );
  return data.clientKeyCreate;
}

async function publish(clientId: string, documents: readonly string[]) {
  const operations = documents.map((document) => ({
    name: /(?:query|subscription|mutation) (\w+)/.exec(document)?.[1] ?? 'Nameless',
    document,
  }));
  const { data } = await fixture.ask(
    `mutation ($input: ClientOperationsPublishInput!) { clientOperationsPublish(input: $input) {
      ... on ClientOperationsPublishPayload { version documentIds }
      ... on OperationsRefusedError { code problems { index message } } ... on UserError { code } } }`,
    { input: { clientId, operations } },
  );
  return data.clientOperationsPublish;
}

/** A client with these documents and a key. */
async function integrator(documents: readonly string[], scopes?: readonly string[], more?: object) {
  const clientId = await makeClient(more);
  const { secret, key } = await makeKey(clientId, scopes);
  expect(await publish(clientId, documents)).toMatchObject({ version: 1 });
  return { clientId, secret: String(secret), keyId: String(key.id) };
}

const byId = (document: string) => ({
  extensions: { persistedQuery: { version: 1, sha256Hash: operationHash(document) } },
});

async function run(secret: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const response = await fixture.post({ variables: { id: channelId }, ...body }, secret, headers);
  const { data, errors } = await response.json();
  return { status: response.status, data, code: errors?.[0]?.extensions?.code };
}

describe('a client', () => {
  it('runs what it registered, by either form of the id, and its runs are counted', async () => {
    const { clientId, secret } = await integrator([CHANNEL, STREAMS]);
    for (const body of [byId(CHANNEL), { documentId: `sha256:${operationHash(CHANNEL)}` }]) {
      expect(await run(secret, body)).toMatchObject({ status: 200, data: { channel: { id: channelId } } });
    }
    const usage = () =>
      fixture.ask(
        'query ($id: ID!) { client(id: $id) { manifestVersion operationUsage { name runs } keys { lastUsedAt } } }',
        { id: clientId },
      );
    const { data } = await waitFor(
      async () => {
        const answer = await usage();
        return Number(answer.data.client.operationUsage[0].runs) === 2 ? answer : undefined;
      },
      { timeoutMs: 10_000 },
    );
    expect(data.client).toMatchObject({
      manifestVersion: 1,
      operationUsage: [
        { name: 'Mine', runs: 2 },
        { name: 'Streams', runs: 0 },
      ],
    });
    expect(data.client.keys[0].lastUsedAt).not.toBeNull();
  });

  it('[T-I5] is refused documents of its own over HTTP, event streams and WebSocket', async () => {
    const { secret } = await integrator([LIVE]);
    const refused = { code: 'FREE_FORM_NOT_ALLOWED' };
    expect(await run(secret, { query: CHANNEL })).toMatchObject(refused);
    // Not even one that it registered, and not to register one.
    expect(await run(secret, { query: LIVE, ...byId(LIVE) })).toMatchObject(refused);
    expect(await run(secret, { query: '' })).toMatchObject(refused);
    const stream = await fixture.post({ query: LIVE, variables: { id: channelId } }, secret, {
      accept: 'text/event-stream',
    });
    expect(await stream.text()).toContain('"code":"FREE_FORM_NOT_ALLOWED"');
    using client = await openSocket(fixture.url, { key: secret });
    client.subscribe('a', LIVE, { id: channelId });
    const { payload } = await client.next('error', 'a');
    expect(payload[0].extensions.code).toBe('FREE_FORM_NOT_ALLOWED');
  });

  it('runs its operations over WebSocket, and an unknown one is an error of its operation alone', async () => {
    const { secret } = await integrator([CHANNEL]);
    using client = await openSocket(fixture.url, { key: secret, byId });
    client.subscribe('unknown', LIVE, { id: channelId });
    expect((await client.next('error', 'unknown')).payload[0].extensions.code).toBe(
      'OPERATION_NOT_REGISTERED',
    );
    client.subscribe('mine', CHANNEL, { id: channelId });
    expect((await client.next('next', 'mine')).payload.data).toEqual({ channel: { id: channelId } });
  });

  it("[T-I5] is refused another client's operation, and an id not written as it must be", async () => {
    const mine = await integrator([CHANNEL]);
    const other = await integrator([STREAMS]);
    const hash = operationHash(CHANNEL);
    for (const body of [
      byId(STREAMS),
      { documentId: `sha256:${hash.toUpperCase()}` },
      { documentId: `SHA256:${hash}` },
      { documentId: hash },
      { documentId: `sha256:${hash} ` },
      { extensions: { persistedQuery: { version: 1, sha256Hash: `sha256:${hash}` } } },
      { extensions: { persistedQuery: { version: 1, sha256Hash: [hash] } } },
    ]) {
      expect([body, await run(mine.secret, body)]).toMatchObject([
        body,
        { code: 'OPERATION_NOT_REGISTERED' },
      ]);
    }
    expect(await run(other.secret, byId(STREAMS))).toMatchObject({ status: 200 });
  });

  it('runs the two newest versions of its manifest and no older one', async () => {
    const { clientId, secret } = await integrator([CHANNEL]);
    expect(await publish(clientId, [STREAMS])).toMatchObject({ version: 2 });
    expect(await run(secret, byId(CHANNEL))).toMatchObject({ status: 200 });
    expect(await publish(clientId, [LIVE])).toMatchObject({ version: 3 });
    await waitFor(async () => (await run(secret, byId(CHANNEL))).code === 'OPERATION_NOT_REGISTERED');
  });

  it('[T-I5] publishes all of a manifest or nothing, with every problem told', async () => {
    const clientId = await makeClient();
    const answer = await publish(clientId, [
      CHANNEL,
      'query Gone { nothing }',
      DEEP,
      '{ __typename }',
      'query Broken {',
    ]);
    expect(answer.code).toBe('OPERATIONS_REFUSED');
    const indexes = answer.problems.map(({ index }: { readonly index: number }) => index);
    expect([...new Set(indexes)]).toEqual([1, 2, 3, 4]);
    const schemaLook = await publish(clientId, ['query Look { __schema { types { name } } }']);
    expect(schemaLook.code).toBe('OPERATIONS_REFUSED');
    const { data } = await fixture.ask('query ($id: ID!) { client(id: $id) { manifestVersion } }', {
      id: clientId,
    });
    expect(data).toEqual({ client: { manifestVersion: 0 } });
  });

  it.each([
    ['EVENTS_READ', null],
    ['EVENTS_PII', null],
    ['ANALYTICS_READ', null],
    ['RULES_READ', null],
    ['RULES_WRITE', null],
    ['HISTORY_READ', { edges: [] }],
  ])('[T-E4] with %s alone sees its part of the history', async (scope, streams) => {
    const { secret } = await integrator([STREAMS], [scope]);
    const { data, code } = await run(secret, byId(STREAMS));
    expect([data?.channel?.streams ?? null, code]).toEqual([
      streams,
      streams === null ? 'FORBIDDEN' : undefined,
    ]);
  });

  it('[T-E4] may manage no clients, whatever its scopes', async () => {
    const manage =
      'mutation Take($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) { __typename } }';
    const { secret, clientId } = await integrator([manage], ['EVENTS_READ', 'EVENTS_PII', 'RULES_WRITE']);
    const variables = { input: { clientId, scopes: ['HISTORY_READ'], expiresInDays: 30 } };
    expect(await run(secret, { ...byId(manage), variables })).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('a key', () => {
  it('is kept as a hash, and a third active one is refused', async () => {
    const clientId = await makeClient();
    const first = await makeKey(clientId);
    expect(first.secret).toMatch(/^tlc_[\w-]{43}$/);
    expect(first.secret.slice(4, 12)).toBe(first.key.prefix);
    expect((await makeKey(clientId)).secret).toMatch(/^tlc_/);
    expect(await makeKey(clientId)).toEqual({ code: 'CLIENT_KEY_LIMIT_REACHED' });
    const rows = await fixture.db.selectFrom('client_key').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(first.secret.slice(12));
  });

  it('of two made at once for the last place is made once', async () => {
    const clientId = await makeClient();
    await makeKey(clientId);
    const made = await Promise.all([makeKey(clientId), makeKey(clientId), makeKey(clientId)]);
    expect(made.filter(({ secret }) => secret !== undefined)).toHaveLength(1);
  });

  it('[T-E4] that is revoked opens nothing, and what it has open is cut off', async () => {
    const { secret, keyId } = await integrator([CHANNEL]);
    using client = await openSocket(fixture.url, { key: secret });
    await fixture.ask(
      'mutation ($input: ClientKeyRevokeInput!) { clientKeyRevoke(input: $input) { __typename } }',
      { input: { keyId } },
    );
    expect((await client.closed).code).toBe(4403);
    expect(await run(secret, byId(CHANNEL))).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });

  it('[T-E4] that is expired opens nothing, and what it has open is cut off within seconds', async () => {
    const { secret } = await integrator([CHANNEL]);
    using client = await openSocket(fixture.url, { key: secret });
    await fixture.db
      .updateTable('client_key')
      .set({ created_at: new Date('2020-01-01'), expires_at: new Date('2020-01-02') })
      .execute();
    expect((await client.closed).code).toBe(4403);
    await waitFor(async () => (await run(secret, byId(CHANNEL))).status === 401, { timeoutMs: 8_000 });
  });
});

describe('the origin of a page', () => {
  it('[T-E4] must be one that its client allows', async () => {
    const board = { allowedOrigins: ['https://board.example'] };
    const { secret } = await integrator([CHANNEL], ['EVENTS_READ'], board);
    const from = (origin: string, key = secret) => run(key, byId(CHANNEL), { origin });
    expect(await from('https://board.example')).toMatchObject({ status: 200 });
    expect(await from('https://evil.example')).toMatchObject({ status: 403 });
    expect(await from('null')).toMatchObject({ status: 403 });
    // The page of a client is the page of that client alone.
    const other = await integrator([CHANNEL]);
    expect(await from('https://board.example', other.secret)).toMatchObject({ status: 403 });
    expect(await from('https://board.example', fixture.operatorKey)).toMatchObject({ status: 403 });
    using evil = await openSocket(fixture.url, { origin: 'https://board.example' });
    evil.send({ type: 'connection_init', payload: { key: other.secret } });
    expect((await evil.closed).code).toBe(4403);
  });
});
