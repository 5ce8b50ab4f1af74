import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChannelId } from '../../src/lib/ids.ts';
import { chatAt, type Recording, record, recordStream, viewer } from '../events/support/recorded.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';

const ATTEMPTS = [
  "' or 1=1 --",
  "'; drop table event cascade; --",
  "') union select id::text from access_key --",
  "\\'; select pg_sleep(10); --",
  '$$; delete from channel; $$',
  '%_\\%',
  '{{1+1}}<%= 1+1 %>',
] as const;

let fixture: ApiFixture;
let channelId: ChannelId;
let recording: Recording;
beforeAll(async () => {
  fixture = await startApiFixture();
  ({ id: channelId } = await fixture.channel('reader.one'));
  recording = await recordStream(fixture.db, { channelId });
  await record(
    fixture,
    ATTEMPTS.map((message, index) =>
      chatAt(recording, {
        atMs: 1_000 + index,
        sequence: index + 1,
        message: `kept ${message}`,
        user: { ...viewer(index), displayName: message },
      }),
    ),
  );
});
afterAll(() => fixture[Symbol.asyncDispose]());

const EVENTS = `query ($id: ID!, $after: String, $filter: EventHistoryFilter) {
  channel(id: $id) { events(first: 50, after: $after, order: OLDEST_FIRST, filter: $filter) {
    edges { node { actor { displayName } ... on ChatEvent { message } } }
  } }
}`;

async function everything(): Promise<unknown> {
  const { data } = await fixture.ask(EVENTS, { id: channelId });
  return data.channel.events.edges.map(({ node }: { node: unknown }) => node);
}

it('[T-T6] stores and gives back SQL as the text it is', async () => {
  expect(await everything()).toEqual(
    ATTEMPTS.map((text) => ({ actor: { displayName: text }, message: `kept ${text}` })),
  );
});

it.each(ATTEMPTS)(
  '[T-T6] runs no SQL out of an id, a handle, a cursor, a filter or a search: %s',
  async (text) => {
    const before = await everything();
    const startedAt = performance.now();
    const refused = async (query: string, variables: object) => {
      const { data, errors } = await fixture.ask(query, variables);
      expect(
        errors?.map(({ extensions }: { extensions: { code: string } }) => extensions.code) ?? [],
      ).not.toContain('INTERNAL');
      return Object.values(data ?? {})[0] ?? null;
    };
    expect(await refused('query ($id: ID!) { channel(id: $id) { handle } }', { id: text })).toBeNull();
    expect(
      await refused('query ($handle: String!) { channelByHandle(handle: $handle) { id } }', { handle: text }),
    ).toBeNull();
    expect(await refused(EVENTS, { id: channelId, after: text })).toBeNull();
    expect(await refused(EVENTS, { id: channelId, filter: { memberId: text } })).toEqual({
      events: { edges: [] },
    });
    expect(await refused(EVENTS, { id: channelId, filter: { minimumCoins: text } })).toBeNull();
    expect(
      await refused(
        'mutation ($handle: String!) { channelConnect(input: { handle: $handle }) { __typename ... on UserError { code } } }',
        { handle: text },
      ),
    ).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
    const search = await fixture.ask(
      `query ($id: ID!, $text: String!) { channel(id: $id) { currentStream { sessions(first: 1) { edges { node {
      events(first: 50, filter: { text: $text }) { edges { node { ... on ChatEvent { message } } } }
    } } } } } }`,
      { id: channelId, text: `kept ${text}` },
    );
    const found = search.data?.channel.currentStream.sessions.edges[0]?.node.events.edges ?? [];
    expect(found.map(({ node }: { node: { message: string } }) => node.message)).toContain(`kept ${text}`);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(await everything()).toEqual(before);
  },
);
