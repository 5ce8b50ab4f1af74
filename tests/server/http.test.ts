import { request as httpRequest } from 'node:http';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelId } from '../../src/lib/ids.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

const ALLOWED = 'https://console.example';
const CHANNELS = `query ($n: Int!) {
  channels(first: $n) { edges { node { streams(first: $n) { edges { node { sessions(first: $n) { edges { cursor } } } } } } } }
}`;

let fixture: ApiFixture;
let channel: { readonly id: ChannelId; readonly overlayKey: string };
const logged: string[] = [];
beforeAll(async () => {
  const logger = pino(
    { level: 'debug' },
    new Writable({
      write: (chunk, _encoding, done) => {
        logged.push(String(chunk));
        done();
      },
    }),
  );
  fixture = await startApiFixture({ allowedOrigins: [ALLOWED], logger });
  channel = await fixture.channel('streamer.http');
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** Status and first error code of a request. */
async function refusal(response: Response): Promise<[number, string]> {
  const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
  return [response.status, errors[0]?.extensions.code ?? 'none'];
}

describe('a key', () => {
  it('is needed for everything but health and the overlay pages', async () => {
    const query = { query: '{ __typename }' };
    for (const authorization of [
      '',
      'Bearer',
      'Bearer x',
      `Basic ${fixture.operatorKey}`,
      `Bearer tlk_${'a'.repeat(43)}`,
    ]) {
      const response = await fixture.post(query, '', { authorization });
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tallylight"');
      expect(await refusal(response)).toEqual([401, 'UNAUTHENTICATED']);
    }
    expect((await fetch(`${fixture.url}/metrics`)).status).toBe(401);
    const asOverlay = { headers: { authorization: `Bearer ${channel.overlayKey}` } };
    expect((await fetch(`${fixture.url}/metrics`, asOverlay)).status).toBe(401);
    const asOwner = { headers: { authorization: `Bearer ${fixture.operatorKey}` } };
    expect(await (await fetch(`${fixture.url}/metrics`, asOwner)).text()).toContain(
      'tallylight_live_subscriptions',
    );
  });

  it('[T-E4] of an overlay reads what is on air in its channel and nothing else', async () => {
    const { overlayKey, id } = channel;
    const mine = `query ($id: ID!) { channel(id: $id) { id connection { state since retryAt } currentStream { id simulated startedAt } } }`;
    expect((await fixture.ask(mine, { id }, overlayKey)).data.channel.id).toBe(id);
    for (const field of [
      'handle',
      'overlayUrl',
      'overlaysConnected',
      'streams { edges { cursor } }',
      'events { edges { cursor } }',
      'members(handle: "x") { id }',
      'wanted',
      'createdAt',
      'provider',
      'subscribers',
    ]) {
      const { data, errors } = await fixture.ask(
        `query ($id: ID!) { channel(id: $id) { ${field} } }`,
        { id },
        overlayKey,
      );
      expect([field, data.channel, errors[0].extensions.code]).toEqual([field, null, 'FORBIDDEN']);
    }
    for (const query of [
      '{ channels { edges { cursor } } }',
      '{ channelByHandle(handle: "streamer.http") { id } }',
      `{ node(id: "${id}") { id } }`,
      `{ nodes(ids: ["${id}"]) { id } }`,
      '{ stream(id: "x") { id } }',
      '{ session(id: "x") { id } }',
      `{ pipelineHealth(channelId: "${id}") { link } }`,
      'mutation { channelConnect(input: { handle: "someone" }) { __typename } }',
      `mutation { channelDisconnect(input: { channelId: "${id}" }) { __typename } }`,
      `mutation { overlayKeyRotate(input: { channelId: "${id}" }) { __typename } }`,
      'mutation { sessionReplay(input: { sessionId: "x" }) { __typename } }',
      'mutation { sessionReplayCancel(input: { sessionId: "x" }) { __typename } }',
    ]) {
      const { errors } = await fixture.ask(query, {}, overlayKey);
      expect([query, errors?.[0].extensions.code]).toEqual([query, 'FORBIDDEN']);
    }
    const { rows } = {
      rows: await fixture.db
        .selectFrom('channel')
        .select(['handle', 'overlay_key_version', 'wanted'])
        .execute(),
    };
    expect(rows).toEqual([{ handle: 'streamer.http', overlay_key_version: 1, wanted: true }]);
  });

  it('[T-I6] of an overlay finds no other channel, as if there were none', async () => {
    const other = await fixture.channel('streamer.hidden');
    const query = 'query ($id: ID!) { channel(id: $id) { id } }';
    const hidden = await fixture.ask(query, { id: other.id }, channel.overlayKey);
    const missing = await fixture.ask(query, { id: `chn_${'0'.repeat(32)}` }, channel.overlayKey);
    expect({ ...hidden, extensions: null }).toEqual({ ...missing, extensions: null });
    expect(hidden.data).toEqual({ channel: null });
  });

  it('is never logged', async () => {
    await fixture.ask('{ __typename }');
    await fixture.ask('{ __typename }', {}, channel.overlayKey);
    expect(logged.join('')).not.toMatch(/tl[ko]_/);
  });
});

describe('a document', () => {
  it('[T-D2] is held to limits of tokens, depth, aliases and directives', async () => {
    const aliases = Array.from({ length: 30 }, (_, index) => `a${index}: __typename`).join(' ');
    const depth = `{ ${'channels { edges { node { currentStream { channel { '.repeat(4)} id ${'} } } } } '.repeat(4)}}`;
    for (const query of [
      `{ ${'__typename '.repeat(1_100)}}`,
      `{ ${aliases} }`,
      `{ __typename ${'@skip(if: false) '.repeat(6)} }`,
      depth,
      '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }',
    ]) {
      const [, code] = await refusal(await fixture.post({ query }));
      expect([query.slice(0, 20), code]).toEqual([
        query.slice(0, 20),
        expect.stringMatching(/^GRAPHQL_(PARSE|VALIDATION)_FAILED$/),
      ]);
    }
  });

  it('[T-D2] is held to a cost computed with its variables, each time', async () => {
    const cheap = await fixture.ask(CHANNELS, { n: 2 });
    expect(cheap.extensions.cost).toEqual({
      requested: 21,
      limit: 10_000,
      remaining: expect.any(Number),
      restorePerSecond: 500,
    });
    const dear = await fixture.post({ query: CHANNELS, variables: { n: 100 } });
    expect(await refusal(dear)).toEqual([200, 'COST_EXCEEDED']);
    // The other operation of the document is the one that counts.
    const two = `query a { __typename } ${CHANNELS.replace('query', 'query b')}`;
    const chosen = await fixture.post({ query: two, operationName: 'b', variables: { n: 100 } });
    expect(await refusal(chosen)).toEqual([200, 'COST_EXCEEDED']);
  });

  it('[T-I5] asks for 1 to 100 items at a time, never fewer or more by a clamp', async () => {
    for (const first of [-5, 0, 101, 2_000_000_000]) {
      const { data, errors } = await fixture.ask(
        'query ($n: Int!) { channels(first: $n) { edges { cursor } } }',
        { n: first },
      );
      expect([first, data, errors[0].extensions.code, errors[0].message]).toEqual([
        first,
        null,
        'BAD_USER_INPUT',
        'first must be from 1 to 100.',
      ]);
    }
    expect((await fixture.ask('{ channels(first: 100) { edges { cursor } } }')).errors).toBeUndefined();
    expect(
      (await fixture.ask('query ($n: Int) { channels(first: $n) { edges { cursor } } }')).errors,
    ).toBeUndefined();
    const ids = Array.from({ length: 101 }, () => channel.id);
    expect(
      (await fixture.ask('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids })).errors[0].extensions
        .code,
    ).toBe('BAD_USER_INPUT');
  });

  it('[T-I4] is answered without suggestions in any stage', async () => {
    const wrong: readonly [string, object][] = [
      ['{ chanels { edges { cursor } } }', {}],
      ['{ channels(frist: 3) { edges { cursor } } }', {}],
      ['{ channelByHandle(handle: "x", provider: TIKTOKK) { id } }', {}],
      ['query ($p: Provider!) { channelByHandle(handle: "x", provider: $p) { id } }', { p: 'TIKTOKK' }],
      ['query ($i: ChannelConnectInput!) { __typename }', { i: { handel: 'x' } }],
      ['{ node(id: "x") { ... on Chanel { id } } }', {}],
      [
        'mutation ($i: ChannelConnectInput!) { channelConnect(input: $i) { __typename } }',
        { i: { handel: 'x', handle: 'y' } },
      ],
    ];
    for (const [query, variables] of wrong) {
      const answer = await fixture.ask(query, variables);
      expect([query, answer.errors.length > 0]).toEqual([query, true]);
      expect(JSON.stringify(answer)).not.toContain('Did you mean');
    }
  });

  it('[T-I4] may look at the schema only with the operator key', async () => {
    for (const query of [
      '{ __schema { types { name } } }',
      '{ __type(name: "Channel") { name } }',
      'query a { ...f } fragment f on Query { __schema { types { name } } }',
    ]) {
      expect((await fixture.ask(query)).errors).toBeUndefined();
      // Asked right after the owner: the outcome is not remembered with the document.
      const answer = await fixture.ask(query, {}, channel.overlayKey);
      expect([answer.data, answer.errors[0].extensions.code]).toEqual([undefined, 'FORBIDDEN']);
    }
  });

  it('[T-I4] that fails by a bug of ours tells a request id and nothing else', async () => {
    await fixture.db.schema.alterTable('stream').renameTo('stream_elsewhere').execute();
    const response = await fixture.post({
      query: `{ channel(id: "${channel.id}") { streams { edges { cursor } } } }`,
    });
    await fixture.db.schema.alterTable('stream_elsewhere').renameTo('stream').execute();
    const requestId = response.headers.get('x-request-id');
    expect(await response.json()).toEqual({
      data: { channel: null },
      errors: [
        {
          message: 'Unexpected error.',
          locations: expect.any(Array),
          path: ['channel', 'streams'],
          extensions: { code: 'INTERNAL', requestId, docs: '/docs/errors#INTERNAL' },
        },
      ],
      extensions: { cost: expect.objectContaining({ requested: 22 }) },
    });
    expect(logged.some((line) => line.includes('request.failed') && line.includes(String(requestId)))).toBe(
      true,
    );
  });

  it('[T-I4] shows stacks in development, whatever NODE_ENV says', async () => {
    await using developed = await startApiFixture({ development: true });
    const { id } = await developed.channel('streamer.dev');
    await developed.db.schema.alterTable('stream').renameTo('stream_elsewhere').execute();
    const answer = await developed.ask(`{ channel(id: "${id}") { streams { edges { cursor } } } }`);
    expect(answer.errors[0].extensions.originalError.stack).toContain('relation "stream" does not exist');
  });
});

describe('a request', () => {
  const query = '{ __typename }';

  it('[T-D2] is one JSON object of limited size and nesting, sent by POST', async () => {
    const send = (body: string, headers: Record<string, string> = {}) =>
      fetch(`${fixture.url}/graphql`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${fixture.operatorKey}`,
          ...headers,
        },
      });
    expect(await refusal(await send(JSON.stringify([{ query }, { query }])))).toEqual([400, 'BAD_REQUEST']);
    expect(await refusal(await send('{'))).toEqual([400, 'BAD_REQUEST']);
    expect(await refusal(await send('null'))).toEqual([400, 'BAD_REQUEST']);
    expect(await refusal(await send('{"query":5}'))).toEqual([400, 'BAD_REQUEST']);
    const deep = `{"query":"{ __typename }","variables":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
    expect(await refusal(await send(deep))).toEqual([400, 'BAD_REQUEST']);
    const large = JSON.stringify({ query: `{ __typename } #${'x'.repeat(200_000)}` });
    expect(await refusal(await send(large))).toEqual([413, 'REQUEST_ENTITY_TOO_LARGE']);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/graphql',
    ]) {
      expect([
        type,
        ...(await refusal(await send(JSON.stringify({ query }), { 'content-type': type }))),
      ]).toEqual([type, 415, 'UNSUPPORTED_MEDIA_TYPE']);
    }
    const got = await fetch(`${fixture.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { authorization: `Bearer ${fixture.operatorKey}` },
    });
    expect([got.headers.get('allow'), ...(await refusal(got))]).toEqual([
      'POST, OPTIONS',
      405,
      'METHOD_NOT_ALLOWED',
    ]);
  });

  it('[T-D2] may not grow beyond the limit while it is sent in pieces', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        `${fixture.url}/graphql`,
        {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${fixture.operatorKey}`,
            'transfer-encoding': 'chunked',
          },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.once('error', reject);
      request.write('{"query":"{ __typename } #');
      for (let index = 0; index < 30; index += 1) request.write('x'.repeat(10_000));
      request.end('"}');
    });
    expect(status).toBe(413);
  });

  it('[T-S8] is refused to pages of other origins, and readable to none but the allowed', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      'https://console.example.evil.example',
      'http://console.example',
    ]) {
      const response = await fixture.post({ query }, fixture.operatorKey, { origin });
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect([origin, ...(await refusal(response))]).toEqual([origin, 403, 'FORBIDDEN']);
      const preflight = await fetch(`${fixture.url}/graphql`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    }
    const allowed = await fixture.post({ query }, fixture.operatorKey, { origin: ALLOWED });
    expect([
      allowed.status,
      allowed.headers.get('access-control-allow-origin'),
      allowed.headers.get('access-control-allow-credentials'),
      allowed.headers.get('vary'),
    ]).toEqual([200, ALLOWED, 'true', 'Origin']);
    const same = await fixture.post({ query }, fixture.operatorKey, { origin: fixture.url });
    expect([same.status, same.headers.get('access-control-allow-origin')]).toEqual([200, null]);
  });

  it('is answered with headers that leave browsers nothing to do', async () => {
    const response = await fixture.post({ query });
    const headers = [
      'content-security-policy',
      'x-content-type-options',
      'referrer-policy',
      'x-frame-options',
      'cache-control',
      'set-cookie',
      'strict-transport-security',
      'x-powered-by',
    ];
    expect(headers.map((name) => response.headers.get(name))).toEqual([
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      'nosniff',
      'no-referrer',
      'DENY',
      'no-store',
      null,
      null,
      null,
    ]);
  });
});
