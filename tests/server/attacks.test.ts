import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

let fixture: ApiFixture;
let overlayKey: string;
let channelId: string;
beforeAll(async () => {
  fixture = await startApiFixture();
  ({ overlayKey, id: channelId } = await fixture.channel('streamer.attacked'));
});
afterAll(() => fixture[Symbol.asyncDispose]());

const many = (count: number, item: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => item(index)).join(' ');
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const CIRCLE = 'fragment a on Query { ...b } fragment b on Query { ...a }';
const PAGE = 'query ($n: Int) { channels(first: $n) { edges { cursor } } }';

/** Documents that no transport may run; the subscription variants come with them. */
const DOCUMENTS: Readonly<Record<string, { readonly query: string; readonly variables?: object }>> = {
  'aliases of __typename': { query: `{ ${many(100, (index) => `a${index}: __typename`)} }` },
  'aliases of a field': { query: `{ ${many(100, (index) => `a${index}: channels { edges { cursor } }`)} }` },
  'directives on a field': { query: `{ __typename ${'@include(if: true) '.repeat(10)} }` },
  'directives that are unknown': { query: `{ __typename ${'@aa '.repeat(500)} }` },
  'circular fragments': { query: `{ ...a } ${CIRCLE}` },
  'fragments that unfold': {
    query: `{ ...f0 } ${many(40, (index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`)} fragment f40 on Query { __typename }`,
  },
  'the schema': { query: '{ __schema { types { fields { type { fields { name } } } } } }' },
  'a field almost right': { query: '{ chanels { edges { cursor } } }' },
  'an enum value almost right': {
    query: `{ channel(id: "${'x'}") { events(filter: { types: [GIFTT] }) { edges { cursor } } } }`,
  },
  'an enum variable almost right': {
    query:
      'query ($t: [EventType!]) { channel(id: "x") { events(filter: { types: $t }) { edges { cursor } } } }',
    variables: { t: ['GIFTT'] },
  },
  'an input field almost right': {
    query: 'query ($f: EventFilter) { channel(id: "x") { events(filter: $f) { edges { cursor } } } }',
    variables: { f: { typess: [] } },
  },
  'a negative page': { query: '{ channels(first: -5) { edges { cursor } } }' },
  'a negative page by variable': { query: PAGE, variables: { n: -5 } },
  'a huge page by variable': { query: PAGE, variables: { n: 1_000_000 } },
  'pages of pages': {
    query:
      'query ($n: Int) { channels(first: $n) { edges { node { streams(first: $n) { edges { cursor } } } } } }',
    variables: { n: 100 },
  },
  'a document of tokens': { query: `{ ${'__typename '.repeat(10_000)}}` },
  'a deep list': { query: `{ channel(id: ${nested(400)}) { id } }` },
};

describe('[T-D2] [T-I4] an attack', () => {
  it.each(Object.entries(DOCUMENTS))(
    'by %s fails by HTTP, event stream and WebSocket, and teaches nothing',
    async (_name, attack) => {
      const key = fixture.operatorKey;
      const asker = attack.query.includes('__schema') ? overlayKey : key;
      const plain = await (await fixture.post(attack, asker)).text();
      const stream = await (await fixture.post(attack, asker, { accept: 'text/event-stream' })).text();
      using client = await openSocket(fixture.url, { key: asker });
      client.subscribe('1', attack.query, attack.variables);
      const frame = await Promise.race([client.next('error', '1'), client.next('next', '1')]);
      const subscription = {
        ...attack,
        query: attack.query.replace(/^(query )?/, (start) =>
          start === '' ? 'subscription ' : 'subscription ',
        ),
      };
      const subscribed = await (
        await fixture.post(subscription, asker, { accept: 'text/event-stream' })
      ).text();
      for (const text of [plain, stream, JSON.stringify(frame), subscribed]) {
        expect(text).toMatch(/"code":"[A-Z_]+"/);
        expect(text).not.toMatch(/Did you mean|"code":"INTERNAL"|stack|"edges"/);
      }
    },
  );

  it.each([
    ['a batch', '[{"query":"{ __typename }"},{"query":"{ __typename }"}]', 'application/json', 400],
    ['a form', 'query=%7B__typename%7D', 'application/x-www-form-urlencoded', 415],
    ['text', '{"query":"{ __typename }"}', 'text/plain', 415],
    [
      'deep variables',
      `{"query":"{ __typename }","variables":{"a":${nested(50_000)}}}`,
      'application/json',
      400,
    ],
    [
      'a huge body',
      JSON.stringify({ query: '{ __typename }', variables: { a: 'x'.repeat(5_000_000) } }),
      'application/json',
      413,
    ],
  ])('by %s fails', async (_name, body, type, status) => {
    const response = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fixture.operatorKey}`, 'content-type': type },
      body,
    });
    expect([response.status, await response.text()]).toEqual([status, expect.not.stringContaining('"data"')]);
  });

  it.each(['GET', 'PUT', 'DELETE'])('by %s fails, a mutation too', async (method) => {
    const query = encodeURIComponent(
      `mutation { overlayKeyRotate(input: { channelId: "${channelId}" }) { __typename } }`,
    );
    const response = await fetch(`${fixture.url}/graphql?query=${query}`, {
      method,
      headers: { authorization: `Bearer ${fixture.operatorKey}` },
    });
    expect(response.status).toBe(405);
  });
});
