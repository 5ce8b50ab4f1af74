import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { notifyAccessChanged } from '../../src/auth/access-topic.ts';
import { newSessionToken } from '../../src/auth/sessions/session-token.ts';
import { CREDENTIAL_FAILURES, ORIGIN_FAILURES } from '../../src/server/limits.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

const newKey = () => `tlk_${randomBytes(32).toString('base64url')}`;
const DOCUMENT = { query: '{ __typename }' };

interface Refusal {
  readonly code: string;
  readonly retryAfterSeconds?: number;
}

async function refusalOf(response: Response): Promise<[number, Refusal | undefined]> {
  const { errors } = (await response.json()) as { errors?: { extensions: Refusal }[] };
  return [response.status, errors?.[0]?.extensions];
}

/** Asks without a credential. */
const askBare = (fixture: ApiFixture, body: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${fixture.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1', ...headers },
    body,
  });

/** The answer to a WebSocket handshake of a page of this origin. */
function upgrade(fixture: ApiFixture, origin: string): Promise<string> {
  const { hostname, port, host } = new URL(fixture.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('a credential that opens nothing', () => {
  it('[T-D4] is looked at only so often for one address, and then no new one is, by HTTP and WebSocket', async () => {
    await using fixture = await startApiFixture();
    expect((await fixture.post(DOCUMENT)).status).toBe(200);
    const before = fixture.statements();
    const answers = await Promise.all(
      Array.from({ length: CREDENTIAL_FAILURES.capacity + 100 }, () => fixture.post(DOCUMENT, newKey())),
    );
    const refusals = await Promise.all(answers.map(refusalOf));
    const looked = refusals.filter(([status]) => status === 401).length;
    expect(looked).toBeGreaterThanOrEqual(CREDENTIAL_FAILURES.capacity);
    // Some flow back while the test runs.
    expect(looked).toBeLessThan(CREDENTIAL_FAILURES.capacity + 50);
    expect(refusals.filter(([status]) => status === 429).length).toBe(answers.length - looked);
    expect(fixture.statements() - before).toBe(looked);
    await drain(fixture);
    const statements = fixture.statements();
    const refused = await fixture.post(DOCUMENT, newKey());
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refusalOf(refused)).toEqual([
      429,
      expect.objectContaining({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) }),
    ]);
    using client = await openSocket(fixture.url);
    client.send({ type: 'connection_init', payload: { key: newKey() } });
    expect(await client.closed).toEqual({
      code: 1013,
      reason: expect.stringMatching(/^RATE_LIMITED: try again in \d+ s$/),
    });
    const session = await askBare(fixture, JSON.stringify(DOCUMENT), {
      cookie: `__Host-tl_session=${newSessionToken()}`,
    });
    expect((await refusalOf(session))[1]?.code).toBe('RATE_LIMITED');
    const metrics = await fetch(`${fixture.url}/metrics`, {
      headers: { authorization: `Bearer ${newKey()}` },
    });
    expect((await refusalOf(metrics))[1]?.code).toBe('RATE_LIMITED');
    expect(fixture.statements()).toBe(statements);
    // Whoever is known goes on as if nothing were.
    expect((await fixture.post(DOCUMENT)).status).toBe(200);
    expect((await askBare(fixture, JSON.stringify(DOCUMENT))).status).toBe(200);
  });

  it('[T-D4] is not looked up again while it is fresh in memory, and once it opens something it is let in', async () => {
    await using fixture = await startApiFixture();
    const { overlayKey: key } = await fixture.channel('comes.later');
    await sql`update access_key set revoked_at = now() where channel_id is not null`.execute(fixture.db);
    expect((await fixture.post(DOCUMENT, key)).status).toBe(401);
    const statements = fixture.statements();
    for (let index = 0; index < 20; index += 1) expect((await fixture.post(DOCUMENT, key)).status).toBe(401);
    expect(fixture.statements()).toBe(statements);
    await sql`update access_key set revoked_at = null where channel_id is not null`.execute(fixture.db);
    await notifyAccessChanged(fixture.bus, null);
    expect((await fixture.post(DOCUMENT, key)).status).toBe(200);
  });
});

/** Sends made-up keys until none is looked at any more. */
async function drain(fixture: ApiFixture): Promise<void> {
  for (let index = 0; index < 1_000; index += 1) {
    if ((await fixture.post(DOCUMENT, newKey())).status === 429) return;
  }
  throw new Error('made-up keys are looked at for ever');
}

describe('an origin that nobody allows', () => {
  it('[T-D4] is looked up only so often for one address, by HTTP, preflight and WebSocket', async () => {
    await using fixture = await startApiFixture();
    const newOrigin = () => `https://${randomBytes(8).toString('hex')}.evil.example`;
    const preflight = () =>
      fetch(`${fixture.url}/graphql`, { method: 'OPTIONS', headers: { origin: newOrigin() } });
    const before = fixture.statements();
    const answers = await Promise.all(
      Array.from({ length: ORIGIN_FAILURES.capacity + 100 }, async () => (await preflight()).status),
    );
    const looked = answers.filter((status) => status === 403).length;
    expect(looked).toBeGreaterThanOrEqual(ORIGIN_FAILURES.capacity);
    expect(looked).toBeLessThan(ORIGIN_FAILURES.capacity + 50);
    expect(fixture.statements() - before).toBe(looked);
    while ((await preflight()).status !== 429);
    const statements = fixture.statements();
    const posted = await askBare(fixture, JSON.stringify(DOCUMENT), { origin: newOrigin() });
    expect((await refusalOf(posted))[1]?.code).toBe('RATE_LIMITED');
    expect(await upgrade(fixture, newOrigin())).toMatch(
      /^HTTP\/1\.1 429 Too Many Requests\r\nRetry-After: \d+\r\n/,
    );
    expect(fixture.statements()).toBe(statements);
    // Other pages and programs of the address are not held up.
    expect((await fixture.post(DOCUMENT, fixture.operatorKey, { origin: fixture.url })).status).toBe(200);
    expect((await askBare(fixture, JSON.stringify(DOCUMENT))).status).toBe(200);
  });
});

describe('a document that cannot run', () => {
  const SLOW = 0.001;
  const WRONG: Readonly<Record<string, string>> = {
    'is no GraphQL': JSON.stringify({ query: '{' }),
    'asks for what does not exist': JSON.stringify({ query: '{ nothing }' }),
    'is no JSON': '{',
    'is no request': '{}',
    'is not registered': JSON.stringify({ documentId: `sha256:${'0'.repeat(64)}` }),
  };

  it.each(Object.entries(WRONG))(
    '[T-D4] as it %s, is paid for, and is not read any more once that is more than there is',
    async (_what, body) => {
      const few = { capacity: 36, restorePerSecond: SLOW };
      await using fixture = await startApiFixture({ costRules: { known: few, anonymous: few } });
      const codes: (string | undefined)[] = [];
      const ask = async () => codes.push((await refusalOf(await askBare(fixture, body)))[1]?.code);
      await ask();
      await ask();
      // It was taken out of the bucket that all processes share.
      const right = await askBare(fixture, JSON.stringify(DOCUMENT));
      expect(right.headers.get('ratelimit-remaining')).toBe('15');
      for (let index = 0; index < 3; index += 1) await ask();
      expect(codes.slice(0, 3)).not.toContain('RATE_LIMITED');
      expect(codes.slice(3)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
      // A right one is paid from the same bucket: five points are left, and ten are what it might lose.
      const [status, refusal] = await refusalOf(await askBare(fixture, JSON.stringify(DOCUMENT)));
      expect([status, refusal?.code]).toEqual([429, 'RATE_LIMITED']);
      expect(refusal?.retryAfterSeconds).toBeGreaterThan(100);
    },
  );

  it('[T-D4] is paid for by who is known too, over event streams and WebSocket', async () => {
    const known = { capacity: 65, restorePerSecond: SLOW };
    await using fixture = await startApiFixture({ costRules: { known, anonymous: known } });
    const wrong = { query: 'subscription { nothing }' };
    for (let index = 0; index < 3; index += 1) {
      const stream = await fixture.post(wrong, fixture.operatorKey, { accept: 'text/event-stream' });
      expect(await stream.text()).toContain('GRAPHQL_VALIDATION_FAILED');
    }
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    const codes: string[] = [];
    for (const id of ['1', '2', '3', '4', '5']) {
      client.subscribe(id, wrong.query);
      codes.push((await client.next('error', id)).payload[0].extensions.code);
    }
    expect(codes).toEqual([
      ...Array.from({ length: 3 }, () => 'GRAPHQL_VALIDATION_FAILED'),
      'RATE_LIMITED',
      'RATE_LIMITED',
    ]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    const stream = await fixture.post(wrong, fixture.operatorKey, { accept: 'text/event-stream' });
    expect(await stream.text()).toContain('RATE_LIMITED');
  });

  it('[T-D4] takes all of a bucket that never holds as much', async () => {
    const tiny = { capacity: 4, restorePerSecond: SLOW };
    await using fixture = await startApiFixture({ costRules: { known: tiny, anonymous: tiny } });
    const { overlayKey } = await fixture.channel('tiny.bucket');
    const schema = { query: '{ __schema { description } }' };
    const codes: (string | undefined)[] = [];
    for (let index = 0; index < 2; index += 1) {
      codes.push((await refusalOf(await fixture.post(schema, overlayKey)))[1]?.code);
    }
    expect(codes).toEqual(['FORBIDDEN', 'RATE_LIMITED']);
  });

  it('[T-D4] costs nothing more than the operation when it can run', async () => {
    const few = { capacity: 35, restorePerSecond: SLOW };
    await using fixture = await startApiFixture({ costRules: { known: few, anonymous: few } });
    for (const remaining of ['34', '33', '32', '31', '30', '29', '28', '27', '26', '25']) {
      const answer = await askBare(fixture, JSON.stringify(DOCUMENT));
      expect([answer.status, answer.headers.get('ratelimit-remaining')]).toEqual([200, remaining]);
    }
  });
});

describe('/readyz', () => {
  it('[T-D4] looks at the parts once, however many ask', async () => {
    await using fixture = await startApiFixture();
    const before = fixture.statements();
    const ask = async () => (await fetch(`${fixture.url}/readyz`)).status;
    expect(new Set(await Promise.all(Array.from({ length: 50 }, ask)))).toEqual(new Set([200]));
    expect(fixture.statements() - before).toBeLessThan(10);
  });
});
