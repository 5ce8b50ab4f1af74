import {
  GraphQLError,
  GraphQLList,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  parse,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANONYMOUS } from '../../src/auth/viewer.ts';
import type { AppContext } from '../../src/context.ts';
import {
  DOCUMENT_LENGTH_MAX,
  DOCUMENT_PROBLEMS_MAX,
  DOCUMENT_REPEATS_MAX,
  JSON_SHAPE,
} from '../../src/server/limits.ts';
import { judgeOperation } from '../../src/server/operation-guard.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { ATTACK_BODIES, ATTACK_DOCUMENTS, asSubscription, many } from './attack-documents.ts';
import { openSocket } from './socket-client.ts';

let fixture: ApiFixture;
let overlayKey: string;
let channelId: string;
beforeAll(async () => {
  fixture = await startApiFixture();
  ({ overlayKey, id: channelId } = await fixture.channel('streamer.attacked'));
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe('[T-D2] [T-I4] an attack', () => {
  it.each(Object.entries(ATTACK_DOCUMENTS))(
    'by %s fails by HTTP, event stream and WebSocket, and teaches nothing',
    async (_name, attack) => {
      const key = fixture.operatorKey;
      const asker = attack.query.includes('__schema') ? overlayKey : key;
      const plain = await (await fixture.post(attack, asker)).text();
      const stream = await (await fixture.post(attack, asker, { accept: 'text/event-stream' })).text();
      using client = await openSocket(fixture.url, { key: asker });
      client.subscribe('1', attack.query, attack.variables);
      const frame = await Promise.race([client.next('error', '1'), client.next('next', '1')]);
      const subscription = asSubscription(attack);
      const subscribed = await (
        await fixture.post(subscription, asker, { accept: 'text/event-stream' })
      ).text();
      client.subscribe('2', subscription.query, subscription.variables);
      const subscribedFrame = await Promise.race([client.next('error', '2'), client.next('next', '2')]);
      for (const text of [
        plain,
        stream,
        JSON.stringify(frame),
        subscribed,
        JSON.stringify(subscribedFrame),
      ]) {
        expect(text).toMatch(/"code":"[A-Z_]+"/);
        expect(text).not.toMatch(/Did you mean|"code":"INTERNAL"|stack|"edges"/);
      }
    },
  );

  it.each(Object.entries(ATTACK_BODIES))('by %s fails', async (_name, { text, mediaType, status }) => {
    const response = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fixture.operatorKey}`, 'content-type': mediaType },
      body: text,
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

describe('[T-D2] what an attack costs is bounded:', () => {
  const judge = (values: readonly string[]) => {
    let read = 0;
    const scalar = new GraphQLScalarType({
      name: 'Picky',
      parseValue: () => {
        read += 1;
        throw new GraphQLError('never right');
      },
    });
    const small = new GraphQLSchema({
      query: new GraphQLObjectType({
        name: 'Query',
        fields: { any: { type: GraphQLString, args: { of: { type: new GraphQLList(scalar) } } } },
      }),
    });
    const verdict = judgeOperation(
      {
        schema: small,
        document: parse('query ($of: [Picky]) { any(of: $of) }'),
        variableValues: { of: values },
        contextValue: { viewer: ANONYMOUS } as AppContext, // all that is looked at
      },
      { introspection: false },
    );
    return { kind: verdict.kind, read };
  };

  it('of variables that do not fit, the first few are read', () => {
    const values = Array.from({ length: 4_000 }, () => 'x');
    expect(judge(values)).toEqual({ kind: 'REFUSED', read: expect.any(Number) });
    expect(judge(values).read).toBeLessThan(10);
  });

  it('a name is selected so often, and no oftener', async () => {
    const select = (times: number) => fixture.ask(`{ ${many(times, () => '__typename')} }`);
    expect((await select(DOCUMENT_REPEATS_MAX)).data).toEqual({ __typename: 'Query' });
    expect((await select(DOCUMENT_REPEATS_MAX + 1)).errors).toMatchObject([
      { message: `The document selects __typename 51 times, of 50 allowed.` },
    ]);
  });

  it('a document has so many characters, and no more', async () => {
    const ask = (length: number) => fixture.ask(`{ __typename ${' '.repeat(length - 14)}}`);
    expect((await ask(DOCUMENT_LENGTH_MAX)).data).toEqual({ __typename: 'Query' });
    expect((await ask(DOCUMENT_LENGTH_MAX + 1)).errors[0].extensions.code).toBe('GRAPHQL_PARSE_FAILED');
  });

  it('of a document the first mistakes are told', async () => {
    const { errors } = await fixture.ask(`{ ${many(900, (index) => `nothing${index}`)} }`);
    expect(errors).toHaveLength(DOCUMENT_PROBLEMS_MAX + 1);
    expect(errors.at(-1).message).toContain('Validation aborted');
  });

  it('JSON has so many values, and no more', async () => {
    const body = (values: number) => ({
      query: '{ __typename }',
      variables: { a: Array.from({ length: values }, () => 0) },
    });
    expect((await fixture.post(body(JSON_SHAPE.valuesMax - 1))).status).toBe(200);
    expect((await fixture.post(body(JSON_SHAPE.valuesMax + 1))).status).toBe(400);
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    client.subscribe('1', '{ __typename }', body(JSON_SHAPE.valuesMax + 1).variables);
    expect(await client.closed).toEqual({ code: 4400, reason: 'Bad request' });
  });
});
