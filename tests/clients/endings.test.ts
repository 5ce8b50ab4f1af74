import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import { operationHash } from '../../src/clients/operation.ts';
import { assert } from '../../src/lib/assert.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, uuidFromId } from '../../src/lib/ids.ts';
import { schema } from '../../src/schema/index.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { openSocket } from '../server/socket-client.ts';
import { insertBareFactor, insertBareUser } from '../support/account.ts';
import { type Ask, askByCookie } from '../support/browser-sign-in.ts';
import { waitFor } from '../support/wait.ts';

const LIVE = 'subscription Live($id: ID!) { eventReceived(channelId: $id) { __typename } }';
const CHANNEL = 'query Mine($id: ID!) { channel(id: $id) { id } }';
const OLD = 'query Old($id: ID!) { channel(id: $id) { id handle } }';
const byId = (document: string) => ({
  extensions: { persistedQuery: { version: 1, sha256Hash: operationHash(document) } },
});

let fixture: ApiFixture;
let channelId: ChannelId;
let admin: Ask;
beforeAll(async () => {
  // Nothing of the schema is deprecated at the moment: what would be is held here.
  const channel = schema.getType('Channel');
  assert(isObjectType(channel), 'channels are objects');
  const { handle } = channel.getFields();
  assert(handle !== undefined, 'channels have handles');
  handle.deprecationReason = 'Use `name`. Goes on 2027-01-01.';
  fixture = await startApiFixture();
  ({ id: channelId } = await fixture.channel('endings.one'));
  const { db, vault, bus } = fixture;
  const userId = await insertBareUser({ db, vault }, { role: 'ADMIN' });
  await insertBareFactor(db, userId);
  const sessions = createSessionStore({ db, vault, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const mfaAt = systemClock.nowMs();
  admin = askByCookie(
    fixture.url,
    (await sessions.create({ userId, mfaAt, userAgent: null, address: null })).token,
  );
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A client with two keys that runs the operations above. */
async function integrator() {
  const { data } = await fixture.ask(
    `mutation ($input: ClientCreateInput!) { clientCreate(input: $input) { ... on ClientCreatePayload { client { id } } } }`,
    { input: { channelId, name: 'Board' } },
  );
  const clientId = String(data.clientCreate.client.id);
  const operations = [
    { name: 'Live', document: LIVE },
    { name: 'Mine', document: CHANNEL },
    { name: 'Old', document: OLD },
  ];
  await fixture.ask(
    `mutation ($input: ClientOperationsPublishInput!) { clientOperationsPublish(input: $input) { __typename } }`,
    { input: { clientId, operations } },
  );
  const key = async () => {
    const made = await fixture.ask(
      `mutation ($input: ClientKeyCreateInput!) { clientKeyCreate(input: $input) { ... on ClientKeyCreatePayload { secret } } }`,
      { input: { clientId, scopes: ['EVENTS_READ'], expiresInDays: 30 } },
    );
    return String(made.data.clientKeyCreate.secret);
  };
  return { clientId, keys: [await key(), await key()] as const };
}

const run = (key: string, document = CHANNEL) =>
  fixture.post({ variables: { id: channelId }, ...byId(document) }, key);
const subscribed = async (key: string) => {
  const socket = await openSocket(fixture.url, { key, byId });
  socket.subscribe('live', LIVE, { id: channelId });
  // The next answer says that the subscription before it was taken in.
  socket.subscribe('now', CHANNEL, { id: channelId });
  await socket.next('next', 'now');
  return socket;
};

describe('a client that is disabled', () => {
  const DISABLE = `mutation ($input: ClientDisableInput!) { clientDisable(input: $input) {
    __typename ... on ClientDisablePayload { client { id disabledAt } } ... on UserError { code } } }`;

  it('[T-E4] is cut off with what it has open, by each of its keys, and comes in again when it is let in', async () => {
    const { clientId, keys } = await integrator();
    const other = await integrator();
    using first = await subscribed(keys[0]);
    using second = await subscribed(keys[1]);
    using stays = await subscribed(other.keys[0]);
    const { data } = await admin(DISABLE, { input: { clientId } });
    expect(data.clientDisable.client).toEqual({ id: clientId, disabledAt: expect.any(String) });
    expect((await first.closed).code).toBe(4403);
    expect((await second.closed).code).toBe(4403);
    for (const key of keys) expect((await run(key)).status).toBe(401);
    stays.subscribe('still', CHANNEL, { id: channelId });
    expect((await stays.next('next', 'still')).payload.data).toEqual({ channel: { id: channelId } });
    await admin(DISABLE, { input: { clientId, disabled: false } });
    for (const key of keys) expect((await run(key)).status).toBe(200);
  });

  it('[T-E1] is disabled by administrators, not by owners, and unknown ones by nobody', async () => {
    const { clientId, keys } = await integrator();
    const refused = await fixture.ask(DISABLE, { input: { clientId } });
    expect(refused.errors[0].extensions.code).toBe('FORBIDDEN');
    const { data } = await admin(DISABLE, { input: { clientId: `cli_${'0'.repeat(32)}` } });
    expect(data.clientDisable).toMatchObject({ code: 'CLIENT_NOT_FOUND' });
    expect((await run(keys[0])).status).toBe(200);
  });
});

describe('a client that is deleted', () => {
  it('[T-E4] leaves nothing: its sockets end, its keys open nothing, and its operations and usage are gone', async () => {
    const { clientId, keys } = await integrator();
    using socket = await subscribed(keys[0]);
    await run(keys[1]);
    const { data } = await fixture.ask(
      `mutation ($input: ClientDeleteInput!) { clientDelete(input: $input) { ... on ClientDeletePayload { deletedId } } }`,
      { input: { clientId } },
    );
    expect(data.clientDelete).toEqual({ deletedId: clientId });
    expect((await socket.closed).code).toBe(4403);
    for (const key of keys) expect((await run(key)).status).toBe(401);
    const uuid = uuidFromId(clientId as `cli_${string}` as never);
    for (const table of [
      'client_key',
      'client_operation',
      'client_manifest',
      'client_operation_usage',
    ] as const) {
      const rows = await fixture.db.selectFrom(table).selectAll().where('client_id', '=', uuid).execute();
      expect([table, rows]).toEqual([table, []]);
    }
    // What was counted of it and not yet written does no harm to what others are counted.
    const other = await integrator();
    await run(other.keys[0]);
    await waitFor(
      async () =>
        (
          await fixture.db
            .selectFrom('client_operation_usage')
            .select('runs')
            .where('client_id', '=', uuidFromId(other.clientId as `cli_${string}` as never))
            .execute()
        ).length === 1,
      { timeoutMs: 10_000 },
    );
  });
});

describe('what is deprecated', () => {
  const NOTE = { coordinate: 'Channel.handle', reason: 'Use `name`. Goes on 2027-01-01.' };

  it('is told to whoever asks for it, over HTTP and WebSocket, and to nobody else', async () => {
    const { keys } = await integrator();
    expect((await (await run(keys[0], OLD)).json()).extensions.deprecations).toEqual([NOTE]);
    expect((await (await run(keys[0], CHANNEL)).json()).extensions.deprecations).toBeUndefined();
    const people = await fixture.ask('query ($id: ID!) { channel(id: $id) { handle } }', { id: channelId });
    expect(people.extensions.deprecations).toEqual([NOTE]);
    using socket = await openSocket(fixture.url, { key: keys[0], byId });
    socket.subscribe('old', OLD, { id: channelId });
    expect((await socket.next('next', 'old')).payload.extensions.deprecations).toEqual([NOTE]);
  });

  it('is counted for each client, once an operation', async () => {
    const [one, two] = [await integrator(), await integrator()];
    for (let times = 0; times < 3; times += 1) await run(one.keys[times % 2 === 0 ? 0 : 1], OLD);
    await run(two.keys[0], CHANNEL);
    const usage = async (id: string) =>
      (
        await fixture.ask(
          'query ($id: ID!) { client(id: $id) { deprecationUsage { coordinate uses } operationUsage { name runs } } }',
          { id },
        )
      ).data.client;
    const seen = await waitFor(
      async () => {
        const answer = await usage(one.clientId);
        return answer.deprecationUsage.length === 1 ? answer : undefined;
      },
      { timeoutMs: 10_000 },
    );
    expect(seen.deprecationUsage).toEqual([{ coordinate: 'Channel.handle', uses: 3 }]);
    await waitFor(async () => (await usage(two.clientId)).operationUsage[0].runs === 1, {
      timeoutMs: 10_000,
    });
    expect((await usage(two.clientId)).deprecationUsage).toEqual([]);
  });
});
