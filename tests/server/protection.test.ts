import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressBlock } from '../../src/limits/address.ts';
import { AddressPlaces } from '../../src/server/address-places.ts';
import { createClientAddress } from '../../src/server/client-address.ts';
import { createMessageRate } from '../../src/server/message-rate.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

const ALLOWED = 'https://console.example';
const QUERY = { query: '{ channels(first: 20) { edges { cursor } } }' };

/** A request as browsers and programs send it, without a key. */
function bare(url: string, headers: Readonly<Record<string, string>>, init: RequestInit = {}) {
  return fetch(`${url}/graphql`, {
    method: 'POST',
    body: JSON.stringify({ query: '{ __typename }' }),
    ...init,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

async function codeOf(response: Response): Promise<[number, string | null]> {
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return [response.status, errors?.[0]?.extensions.code ?? null];
}

describe('a bucket of cost', () => {
  let fixture: ApiFixture;
  beforeAll(async () => {
    fixture = await startApiFixture({
      // Nothing to speak of flows back during the test.
      costRules: {
        known: { capacity: 50, restorePerSecond: 0.01 },
        anonymous: { capacity: 3, restorePerSecond: 0.01 },
      },
    });
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  it('[T-D4] is paid from by every operation, says what is left, and refuses with 429 what it cannot pay', async () => {
    const first = await fixture.post(QUERY);
    expect(first.status).toBe(200);
    expect(((await first.json()) as { extensions: object }).extensions).toEqual({
      cost: { requested: 21, limit: 50, remaining: 29, restorePerSecond: 0.01 },
    });
    const limits = (response: Response) =>
      ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) =>
        response.headers.get(name),
      );
    expect(limits(first)).toEqual(['50', '29', '2100', null]);
    expect((await fixture.post(QUERY)).status).toBe(200);
    const statements = fixture.statements();
    const refused = await fixture.post(QUERY);
    expect(refused.status).toBe(429);
    const [limit, remaining, , retryAfter] = limits(refused);
    expect([limit, remaining]).toEqual(['50', '8']);
    const { errors, data, extensions } = (await refused.json()) as {
      errors: { extensions: { code: string; retryAfterSeconds: number } }[];
      data?: unknown;
      extensions: object;
    };
    expect([errors[0]?.extensions.code, data]).toEqual(['RATE_LIMITED', undefined]);
    expect(errors[0]?.extensions.retryAfterSeconds).toBe(Number(retryAfter));
    expect(Number(retryAfter)).toBeGreaterThan(1_000);
    expect(extensions).toMatchObject({ cost: { requested: 21, remaining: 8 } });
    // Nothing of it ran.
    expect(fixture.statements()).toBe(statements);
  });

  it('[T-D4] is the same one over WebSocket and server-sent events', async () => {
    const { id, overlayKey } = await fixture.channel('streamer.bucket');
    const subscription = 'subscription ($id: ID!) { streamUpdated(channelId: $id) { kind } }';
    using client = await openSocket(fixture.url, { key: overlayKey, byId: fixture.byId });
    let refusal: { readonly code: string } | undefined;
    for (let index = 0; refusal === undefined && index < 60; index += 1) {
      client.subscribe(`s${index}`, subscription, { id });
      const frame = await Promise.race([
        client.next('next', `s${index}`),
        client.next('error', `s${index}`).then(({ payload }) => ({ payload: { errors: payload } })),
      ]);
      refusal = frame.payload.errors?.[0].extensions;
      client.send({ type: 'complete', id: `s${index}` });
    }
    expect(refusal).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) });
    const stream = await fixture.post({ ...fixture.byId(subscription), variables: { id } }, overlayKey, {
      accept: 'text/event-stream',
    });
    expect(await stream.text()).toContain('RATE_LIMITED');
  });

  it('[T-D4] is one per address for those without a credential', async () => {
    const ask = () => bare(fixture.url, { 'x-tallylight-csrf': '1' });
    for (const remaining of ['2', '1', '0']) {
      expect((await ask()).headers.get('ratelimit-remaining')).toBe(remaining);
    }
    expect(await codeOf(await ask())).toEqual([429, 'RATE_LIMITED']);
  });
});

describe('a request without an Authorization header', () => {
  it('[T-S8] must carry a header that no form and no page of another origin can send', async () => {
    await using fixture = await startApiFixture({ allowedOrigins: [ALLOWED] });
    const cookie = { cookie: `__Host-tl_session=${'a'.repeat(40)}` };
    for (const headers of [{}, cookie, { ...cookie, origin: fixture.url }, { ...cookie, origin: ALLOWED }]) {
      expect(await codeOf(await bare(fixture.url, headers))).toEqual([403, 'CSRF_HEADER_MISSING']);
    }
    const evil = { ...cookie, 'x-tallylight-csrf': '1', origin: 'https://evil.example' };
    const refused = await bare(fixture.url, evil);
    expect(refused.headers.get('access-control-allow-credentials')).toBeNull();
    expect(await codeOf(refused)).toEqual([403, 'FORBIDDEN']);
    expect((await bare(fixture.url, { ...cookie, 'x-tallylight-csrf': '' })).status).toBe(200);
    const preflight = await bare(
      fixture.url,
      { origin: ALLOWED, 'access-control-request-headers': 'x-tallylight-csrf' },
      { method: 'OPTIONS', body: null },
    );
    expect(preflight.headers.get('access-control-allow-credentials')).toBe('true');
    expect(preflight.headers.get('access-control-allow-origin')).toBe(ALLOWED);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-tallylight-csrf');
  });
});

describe('an operation that takes too long', () => {
  it('[T-D2] is answered with DEADLINE_EXCEEDED, by HTTP and WebSocket, and holds nobody else up', async () => {
    await using fixture = await startApiFixture({ operationDeadlineMs: 200 });
    const { id } = await fixture.channel('streamer.slow');
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    const slow = 'query ($id: ID!) { channel(id: $id) { streams { edges { cursor } } } }';
    const locked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const holder = fixture.db.transaction().execute(async (tx) => {
      await sql`lock table stream in access exclusive mode`.execute(tx);
      locked.resolve();
      await free.promise;
    });
    await locked.promise;
    const response = await fixture.post({ query: slow, variables: { id } }, fixture.operatorKey, {
      accept: 'application/graphql-response+json',
    });
    expect(await codeOf(response)).toEqual([504, 'DEADLINE_EXCEEDED']);
    client.subscribe('1', slow, { id });
    const { payload } = await client.next('next', '1');
    expect(payload.errors[0].extensions.code).toBe('DEADLINE_EXCEEDED');
    client.subscribe('2', '{ __typename }');
    expect((await client.next('next', '2')).payload.data).toEqual({ __typename: 'Query' });
    free.resolve();
    await holder;
    expect((await fixture.ask(slow, { id })).data).toEqual({ channel: { streams: { edges: [] } } });
  });
});

describe('a WebSocket', () => {
  it('[T-D2] that sends too much is closed, with a code that says so', async () => {
    await using fixture = await startApiFixture();
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    for (let index = 0; index < 300; index += 1) client.send({ type: 'ping' });
    expect(await client.closed).toEqual({ code: 4414, reason: 'Too fast' });
  });

  it('[T-D2] may send steadily, and a burst after a pause', () => {
    let nowMs = 0;
    const may = createMessageRate(() => nowMs);
    const burst = () => Array.from({ length: 300 }, may).filter(Boolean).length;
    expect(burst()).toBe(200);
    nowMs += 1_000;
    expect(burst()).toBe(50);
    nowMs += 60_000;
    expect(burst()).toBe(200);
  });
});

describe('an address', () => {
  it('[T-D4] counts by its network where one customer has a whole one', () => {
    expect(
      ['203.0.113.7', '::ffff:203.0.113.7', '2001:db8:0:1:aaaa::1', '2001:db8:0:1:bbbb::2', '::1', null].map(
        addressBlock,
      ),
    ).toEqual([
      '203.0.113.7',
      '203.0.113.7',
      '2001:db8:0:1::/64',
      '2001:db8:0:1::/64',
      '0:0:0:0::/64',
      'unknown',
    ]);
  });

  it('[T-D4] has only so many places, which are free again once left', () => {
    const places = new AddressPlaces(2);
    const [first, second] = [places.take('203.0.113.7'), places.take('::ffff:203.0.113.7')];
    expect([first, second]).toEqual([expect.any(Function), expect.any(Function)]);
    expect(places.take('203.0.113.7')).toBeNull();
    expect(places.take('203.0.113.8')).not.toBeNull();
    first?.();
    first?.();
    expect(places.take('203.0.113.7')).not.toBeNull();
    expect(places.take('203.0.113.7')).toBeNull();
  });

  it('[T-D4] is taken from X-Forwarded-For only as far as our own proxies wrote it', () => {
    const from = (peer: string, forwarded: string | undefined, proxies: readonly string[]) =>
      createClientAddress(proxies)({
        headers: { 'x-forwarded-for': forwarded },
        socket: { remoteAddress: peer },
      } as never); // all of a request that it looks at
    const proxies = ['10.0.0.0/8', '2001:db8::1'];
    expect(from('203.0.113.7', '198.51.100.1', [])).toBe('203.0.113.7');
    expect(from('203.0.113.7', '198.51.100.1', proxies)).toBe('203.0.113.7');
    expect(from('::ffff:10.0.0.1', '6.6.6.6, 198.51.100.1, 10.0.0.2', proxies)).toBe('198.51.100.1');
    expect(from('2001:db8::1', '198.51.100.1', proxies)).toBe('198.51.100.1');
    expect(from('10.0.0.1', undefined, proxies)).toBe('10.0.0.1');
    // A hop that our proxy wrote and we cannot read does not make us believe what the client wrote before it.
    expect(from('10.0.0.1', '6.6.6.6, 198.51.100.1:5678', proxies)).toBe('10.0.0.1');
    expect(from('10.0.0.1', '6.6.6.6, unknown, 10.0.0.2', proxies)).toBe('10.0.0.1');
  });
});
