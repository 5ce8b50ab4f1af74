import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientViewer } from '../../src/auth/viewer.ts';
import { operationHash } from '../../src/clients/operation.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { Deposits } from '../../src/limits/deposits.ts';
import type { Limiter } from '../../src/limits/limiter.ts';
import { createRedisLimiter } from '../../src/limits/redis-limiter.ts';
import { chargeOperation, costRulesOf } from '../../src/server/cost-bucket.ts';
import { newPrefix, removeKeys } from '../bus/redis-support.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { openSocket } from '../server/socket-client.ts';
import { testRedisUrl } from '../support/servers.ts';

const CHANNEL = 'query Mine($id: ID!) { channel(id: $id) { id } }';
const byId = {
  extensions: { persistedQuery: { version: 1, sha256Hash: operationHash(CHANNEL) } },
} as const;

let fixture: ApiFixture;
let channelId: ChannelId;
beforeAll(async () => {
  // Nothing to speak of flows in while a test runs.
  fixture = await startApiFixture({ costRules: costRulesOf(5_000, 0.01) });
  ({ id: channelId } = await fixture.channel('quotas.one'));
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A client with this quota, the operation above and two keys. */
async function clientOf(costPerMinute: number | null) {
  const { data } = await fixture.ask(
    `mutation ($input: ClientCreateInput!) { clientCreate(input: $input) { ... on ClientCreatePayload { client { id } } } }`,
    { input: { channelId, name: 'Board', costPerMinute } },
  );
  const clientId = String(data.clientCreate.client.id);
  await fixture.ask(
    `mutation ($input: ClientOperationsPublishInput!) { clientOperationsPublish(input: $input) { __typename } }`,
    { input: { clientId, operations: [{ name: 'Mine', document: CHANNEL }] } },
  );
  const keyOf = async () => {
    const answer = await fixture.ask(
      `mutation ($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) { ... on ClientKeyCreatePayload { secret } } }`,
      { input: { clientId, scopes: ['EVENTS_READ'], expiresInDays: 30 } },
    );
    return String(answer.data.clientKeyCreate.secret);
  };
  return { clientId, first: await keyOf(), second: await keyOf() };
}

async function run(key: string) {
  const response = await fixture.post({ variables: { id: channelId }, ...byId }, key);
  const { extensions, errors } = await response.json();
  // Who has nothing left is refused before anything is read, and costs nothing.
  return { cost: extensions?.cost, code: errors?.[0]?.extensions.code as string | undefined };
}

describe('the quota of a client', () => {
  it('[T-D4] is one for all its keys, over HTTP and WebSocket', async () => {
    const { first, second } = await clientOf(8);
    const { cost } = await run(first);
    expect(cost.limit).toBe(8);
    const each = 8 - cost.remaining;
    expect(each).toBeGreaterThan(0);
    // The new key goes on where the old one was.
    expect((await run(second)).cost.remaining).toBe(8 - 2 * each);
    using socket = await openSocket(fixture.url, { key: second, byId: () => byId });
    let runs = 2;
    for (; (runs + 1) * each <= 8; runs += 1) {
      socket.subscribe(String(runs), CHANNEL, { id: channelId });
      expect((await socket.next('next', String(runs))).payload.data).toEqual({ channel: { id: channelId } });
    }
    socket.subscribe('last', CHANNEL, { id: channelId });
    const refused = await socket.next('next', 'last');
    expect(refused.payload.errors[0].extensions.code).toBe('RATE_LIMITED');
    for (const key of [first, second]) expect((await run(key)).code).toBe('RATE_LIMITED');
  });

  it('[T-E4] grants no more than the installation grants to everybody', async () => {
    const { first } = await clientOf(1_000_000);
    expect((await run(first)).cost).toMatchObject({ limit: 5_000, restorePerSecond: 0.01 });
    const { first: unlimited } = await clientOf(null);
    expect((await run(unlimited)).cost).toMatchObject({ limit: 5_000, restorePerSecond: 0.01 });
  });

  it('[T-D4] that is lowered holds for what is open: it is cut off, and comes back under the new one', async () => {
    const { clientId, first } = await clientOf(500);
    using socket = await openSocket(fixture.url, { key: first });
    await fixture.ask(
      `mutation ($input: ClientUpdateInput!) { clientUpdate(input: $input) { __typename } }`,
      { input: { clientId, costPerMinute: 100 } },
    );
    expect((await socket.closed).code).toBe(4403);
    expect((await run(first)).cost.limit).toBe(100);
  });

  it.skipIf(testRedisUrl() === null)('[T-D4] is shared by the processes that share Redis', async () => {
    const url = testRedisUrl() ?? '';
    const keyPrefix = newPrefix();
    const options = {
      url,
      keyPrefix,
      secret: randomBytes(32),
      clock: systemClock,
      logger: createLogger('silent'),
    };
    const limiters = [await createRedisLimiter(options), await createRedisLimiter(options)] as const;
    const depositsOf = (limiter: Limiter) => new Deposits({ limiter, clock: systemClock });
    const deposits = [depositsOf(limiters[0]), depositsOf(limiters[1])] as const;
    try {
      const clientId = newId('client', 1);
      const keys = [newId('clientKey', 1), newId('clientKey', 2)] as const;
      const viewer = (keyId: (typeof keys)[number]): ClientViewer => ({
        kind: 'CLIENT',
        clientId,
        keyId,
        channelId,
        scopes: new Set(['EVENTS_READ']),
        allowedOrigins: new Set(),
        costPerMinute: 10,
      });
      const spent = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          chargeOperation(
            {
              limiter: limiters[index % 2 === 0 ? 0 : 1],
              deposits: deposits[index % 2 === 0 ? 0 : 1],
              rules: costRulesOf(5_000, 50),
            },
            { viewer: viewer(keys[index % 4 < 2 ? 0 : 1]), address: null },
            1,
          ),
        ),
      );
      // A sixth of a point flows in per second, so an eleventh may just fit.
      const allowed = spent.filter(({ refusal }) => refusal === null).length;
      expect([10, 11]).toContain(allowed);
    } finally {
      for (const limiter of limiters) limiter.close();
      await removeKeys(url, keyPrefix);
    }
  });
});
