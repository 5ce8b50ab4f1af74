import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelId } from '../../src/lib/ids.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { chat, draft, gift, LIVE_AT, like, publish } from './live-events.ts';
import { openSocket } from './socket-client.ts';

const EVENTS = `subscription ($channelId: ID!, $filter: EventFilter) {
  eventReceived(channelId: $channelId, filter: $filter) {
    __typename sequence occurredAt
    actor { displayName avatarUrl }
    ... on ChatEvent { message }
    ... on GiftEvent { streakCoins }
  }
}`;
const SEQUENCES = `subscription ($channelId: ID!) { eventReceived(channelId: $channelId) { sequence } }`;

let fixture: ApiFixture;
let channel: { readonly id: ChannelId; readonly overlayKey: string };
beforeAll(async () => {
  fixture = await startApiFixture();
  channel = await fixture.channel('streamer.one');
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** Resolves when `count` live subscriptions of the channel are in force. */
async function subscribed(channelId: ChannelId, count = 1): Promise<void> {
  await waitFor(async () => (await fixture.bus.presence.count({ channelId, kind: 'subscriber' })) === count, {
    message: `${count} subscribers`,
  });
}

describe('eventReceived', () => {
  it('delivers events in order to an overlay, as history shows them', async () => {
    using client = await openSocket(fixture.url, { key: channel.overlayKey, byId: fixture.byId });
    client.subscribe('1', EVENTS, { channelId: channel.id });
    await subscribed(channel.id);
    await publish(fixture.bus, chat(channel.id, 'hello <b>there</b>'), gift(channel.id, 5));
    await waitFor(() => client.frames.filter(({ type }) => type === 'next').length === 2);
    const events = client.frames.filter(({ type }) => type === 'next').map(({ payload }) => payload);
    const actor = { displayName: 'Name 7001', avatarUrl: null };
    const occurredAt = new Date(LIVE_AT).toISOString();
    const { sequence } = events[0].data.eventReceived;
    expect(events).toEqual([
      {
        data: {
          eventReceived: {
            __typename: 'ChatEvent',
            sequence,
            occurredAt,
            actor,
            message: 'hello <b>there</b>',
          },
        },
      },
      {
        data: {
          eventReceived: {
            __typename: 'GiftEvent',
            sequence: sequence + 1,
            occurredAt,
            actor,
            streakCoins: '5',
          },
        },
      },
    ]);
  });

  it('filters by type and by coins of the streak, which concern gifts alone', async () => {
    const { id } = await fixture.channel('streamer.filter');
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    client.subscribe('1', EVENTS, { channelId: id, filter: { types: ['CHAT', 'GIFT'], minimumCoins: '10' } });
    await subscribed(id);
    await publish(fixture.bus, like(id), gift(id, 9), gift(id, 10), chat(id, 'last'));
    const last = await waitFor(() => client.frames.filter(({ type }) => type === 'next')[1]);
    expect(last.payload.data.eventReceived.message).toBe('last');
    const seen = client.frames
      .filter(({ type }) => type === 'next')
      .map(({ payload }) => payload.data.eventReceived);
    expect(seen.map(({ sequence, streakCoins }) => [sequence, streakCoins])).toEqual([
      [3, '10'],
      [4, undefined],
    ]);
  });

  it('stops at once when the client completes, also on a quiet channel', async () => {
    const { id } = await fixture.channel('streamer.quiet');
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    client.subscribe('1', SEQUENCES, { channelId: id });
    await subscribed(id);
    client.send({ type: 'complete', id: '1' });
    await subscribed(id, 0);
  });

  it('counts an overlay once however many subscriptions it has, and forgets it when it goes', async () => {
    const { id, overlayKey } = await fixture.channel('streamer.presence');
    const client = await openSocket(fixture.url, { key: overlayKey, byId: fixture.byId });
    client.subscribe('1', SEQUENCES, { channelId: id });
    client.subscribe(
      '2',
      'subscription ($channelId: ID!) { streamUpdated(channelId: $channelId) { kind } }',
      {
        channelId: id,
      },
    );
    await subscribed(id, 2);
    const asked = 'query ($id: ID!) { channel(id: $id) { overlaysConnected subscribers } }';
    expect((await fixture.ask(asked, { id })).data).toEqual({
      channel: { overlaysConnected: 1, subscribers: 2 },
    });
    client.socket.terminate();
    await subscribed(id, 0);
    expect((await fixture.ask(asked, { id })).data).toEqual({
      channel: { overlaysConnected: 0, subscribers: 0 },
    });
  });
});

describe('streamUpdated', () => {
  it('tells how things stand at once, then every change', async () => {
    const { id, overlayKey } = await fixture.channel('streamer.state');
    using client = await openSocket(fixture.url, { key: overlayKey, byId: fixture.byId });
    const query = `subscription ($channelId: ID!) {
      streamUpdated(channelId: $channelId) { kind channel { connection { state } } stream { simulated } }
    }`;
    client.subscribe('1', query, { channelId: id });
    const first = await client.next('next', '1');
    expect(first.payload).toEqual({
      data: {
        streamUpdated: { kind: 'SNAPSHOT', channel: { connection: { state: 'STOPPED' } }, stream: null },
      },
    });
    await fixture.db
      .insertInto('channel_connection')
      .values({
        channel_id: id.slice(4),
        state: 'LIVE',
        since: new Date(LIVE_AT),
        epoch: 1,
        updated_at: new Date(LIVE_AT),
      })
      .execute();
    await fixture.bus.notify(`stream:${id}`, '{"kind":"STATE"}');
    const second = await client.next('next', '1', client.frames.indexOf(first) + 1);
    expect(second.payload).toEqual({
      data: { streamUpdated: { kind: 'STATE', channel: { connection: { state: 'LIVE' } }, stream: null } },
    });
  });

  it('tells within about a second that events came', async () => {
    const { id } = await fixture.channel('streamer.counters');
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    client.subscribe(
      '1',
      'subscription ($channelId: ID!) { streamUpdated(channelId: $channelId) { kind } }',
      {
        channelId: id,
      },
    );
    await client.next('next', '1');
    await publish(fixture.bus, like(id), like(id), like(id));
    await waitFor(() => client.frames.filter(({ type }) => type === 'next').length === 2);
    expect(client.frames.at(-1)?.payload).toEqual({ data: { streamUpdated: { kind: 'COUNTERS' } } });
  });
});

describe('a WebSocket', () => {
  it('[T-S8] is refused to pages of other origins, before it is one', async () => {
    await expect(openSocket(fixture.url, { origin: 'https://evil.example' })).rejects.toThrow('403');
    await expect(openSocket(fixture.url, { origin: 'null' })).rejects.toThrow('403');
    using client = await openSocket(fixture.url, { origin: fixture.url });
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });

  it('[T-S8] is closed with 4403 without a valid key, and with 4401 when it does not wait for the answer', async () => {
    for (const payload of [
      undefined,
      {},
      { key: 5 },
      { key: 'tlk_wrong' },
      { key: `tlk_${'A'.repeat(43)}` },
    ]) {
      using client = await openSocket(fixture.url);
      client.send({ type: 'connection_init', payload });
      expect(await client.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    }
    using early = await openSocket(fixture.url);
    early.subscribe('1', '{ __typename }');
    expect((await early.closed).code).toBe(4401);
  });

  it('[T-D3] is closed with 4408 when it does not say who it is', async () => {
    using client = await openSocket(fixture.url);
    expect((await client.closed).code).toBe(4408);
  });

  it('refuses the old protocol, and paths that are not ours', async () => {
    using client = await openSocket(fixture.url, { protocol: 'graphql-ws' }).catch(() => ({
      [Symbol.dispose]: () => undefined,
    }));
    expect('frames' in client).toBe(false);
    await expect(openSocket(`${fixture.url}/elsewhere`)).rejects.toThrow('404');
  });

  it('[T-D2] answers a bad document with an error of its operation and goes on', async () => {
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    const nested = `{ ${'node(id: "x") { ... on Channel { currentStream { channel { '.repeat(5)} id ${'} } } }'.repeat(5)} }`;
    const bad: readonly [string, string, string][] = [
      ['syntax', '{ channel(', 'GRAPHQL_PARSE_FAILED'],
      ['empty', '', 'GRAPHQL_PARSE_FAILED'],
      ['unknown', '{ chanel { id } }', 'GRAPHQL_VALIDATION_FAILED'],
      ['tokens', `{ ${'__typename '.repeat(1_100)} }`, 'GRAPHQL_PARSE_FAILED'],
      [
        'aliases',
        `{ ${Array.from({ length: 30 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
        'GRAPHQL_VALIDATION_FAILED',
      ],
      ['directives', `{ __typename ${'@include(if: true) '.repeat(9)} }`, 'GRAPHQL_VALIDATION_FAILED'],
      ['depth', nested, 'GRAPHQL_VALIDATION_FAILED'],
    ];
    for (const [id, query, code] of bad) {
      client.subscribe(id, query);
      const frame = await client.next('error', id);
      expect([id, frame.payload[0].extensions.code]).toEqual([id, code]);
      expect(frame.payload[0].extensions.requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.stringify(frame)).not.toContain('Did you mean');
    }
    client.subscribe('good', '{ __typename }');
    expect((await client.next('next', 'good')).payload.data).toEqual({ __typename: 'Query' });
  });

  it('[T-D2] holds the cost limit with the variables of each operation', async () => {
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    const query = `query ($n: Int!) {
      channels(first: $n) { edges { node { streams(first: $n) { edges { node { sessions(first: $n) { edges { cursor } } } } } } } }
    }`;
    client.subscribe('cheap', query, { n: 2 });
    expect((await client.next('next', 'cheap')).payload.errors).toBeUndefined();
    client.subscribe('dear', query, { n: 100 });
    const { payload } = await client.next('next', 'dear');
    expect(payload.errors[0].extensions.code).toBe('COST_EXCEEDED');
    expect(payload.data).toBeUndefined();
  });

  it('[T-D2] is closed when a frame is too large, nested too deeply, or not a message', async () => {
    using large = await openSocket(fixture.url, { key: fixture.operatorKey });
    large.subscribe('1', `{ __typename } #${'x'.repeat(200_000)}`);
    expect((await large.closed).code).toBe(1009);
    using deep = await openSocket(fixture.url, { key: fixture.operatorKey });
    deep.send(
      `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
    );
    expect((await deep.closed).code).toBe(4400);
    using nonsense = await openSocket(fixture.url, { key: fixture.operatorKey });
    nonsense.send('nonsense');
    expect((await nonsense.closed).code).toBe(4400);
  });

  it('[T-D3] takes a limited number of operations at a time and tells so', async () => {
    const { id } = await fixture.channel('streamer.many');
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    for (let n = 1; n <= 21; n += 1) client.subscribe(String(n), SEQUENCES, { channelId: id });
    const refused = await client.next('error', '21');
    expect(refused.payload[0].extensions.code).toBe('TOO_MANY_OPERATIONS');
    await subscribed(id, 20);
  });

  it('[T-I6] shows an overlay its own channel and tells nothing of others', async () => {
    const other = await fixture.channel('streamer.other');
    using client = await openSocket(fixture.url, { key: channel.overlayKey, byId: fixture.byId });
    const answers: unknown[] = [];
    for (const [index, channelId] of [other.id, `chn_${'0'.repeat(32)}`, 'nonsense'].entries()) {
      client.subscribe(String(index), SEQUENCES, { channelId });
      const { payload } = await client.next('next', String(index));
      const { requestId: _requestId, ...extensions } = payload.errors[0].extensions;
      answers.push({ ...payload.errors[0], extensions });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toEqual(answers[2]);
    expect(answers[0]).toMatchObject({
      message: 'There is no such channel.',
      extensions: { code: 'CHANNEL_NOT_FOUND' },
    });
  });

  it('[T-I1] keeps provider ids and members from overlays, event by event', async () => {
    const { id, overlayKey } = await fixture.channel('streamer.private');
    using client = await openSocket(fixture.url, { key: overlayKey, byId: fixture.byId });
    client.subscribe(
      '1',
      `subscription ($channelId: ID!) {
      eventReceived(channelId: $channelId) { __typename actor { alias externalId handle } }
    }`,
      { channelId: id },
    );
    client.subscribe(
      '2',
      `subscription ($channelId: ID!) {
      eventReceived(channelId: $channelId) { __typename ... on GiftEvent { receiverExternalId } }
    }`,
      { channelId: id },
    );
    await subscribed(id, 2);
    await publish(
      fixture.bus,
      draft(id, 'RAW', { rawType: 'X', data: { secret: 1 } }),
      draft(id, 'ERROR', { message: 'secret', code: 'X', stack: null }),
      gift(id, 1, '424242'),
    );
    const one = await client.next('next', '1');
    const two = await client.next('next', '2');
    expect(one.payload.data).toEqual({
      eventReceived: {
        __typename: 'GiftEvent',
        actor: {
          alias: expect.stringMatching(/^viewer-[0-9a-f]{8}$/),
          externalId: null,
          handle: expect.stringMatching(/^viewer-/),
        },
      },
    });
    expect(two.payload.data).toEqual({
      eventReceived: { __typename: 'GiftEvent', receiverExternalId: null },
    });
    for (const { payload } of [one, two]) expect(payload.errors).toBeUndefined();
    expect(JSON.stringify(client.frames)).not.toMatch(/424242|secret/);
  });

  it('is cut off within 5 s once its key is rotated, and others stay', async () => {
    const mine = await fixture.channel('streamer.rotate');
    using client = await openSocket(fixture.url, { key: mine.overlayKey, byId: fixture.byId });
    using other = await openSocket(fixture.url, { key: channel.overlayKey, byId: fixture.byId });
    const answer = await fixture.ask(
      'mutation ($input: OverlayKeyRotateInput!) { overlayKeyRotate(input: $input) { __typename ... on OverlayKeyRotatePayload { overlayUrl } } }',
      { input: { channelId: mine.id } },
    );
    const started = performance.now();
    expect(answer.data.overlayKeyRotate.overlayUrl).not.toContain(mine.overlayKey);
    expect(await client.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    using again = await openSocket(fixture.url);
    again.send({ type: 'connection_init', payload: { key: mine.overlayKey } });
    expect((await again.closed).code).toBe(4403);
  });

  it('[T-D3] whose reader stopped reading does not hold others up, and is cut off', async () => {
    const { id } = await fixture.channel('streamer.stalled');
    using stalled = await openSocket(fixture.url, { key: fixture.operatorKey });
    using healthy = await openSocket(fixture.url, { key: fixture.operatorKey });
    const query = `subscription ($channelId: ID!) { eventReceived(channelId: $channelId) { sequence ... on ChatEvent { message } } }`;
    stalled.subscribe('1', query, { channelId: id });
    healthy.subscribe('1', query, { channelId: id });
    await subscribed(id, 2);
    stalled.socket.pause();
    const text = 'x'.repeat(20_000);
    // Enough to fill the kernel's buffers on both sides, and the feed behind them.
    const received = () => healthy.frames.filter(({ type }) => type === 'next').length;
    for (let n = 1; n <= 1_200; n += 1) {
      await publish(fixture.bus, chat(id, text));
      if (n % 100 === 0) await waitFor(() => received() === n, { message: 'the healthy reader' });
    }
    // The stalled feed has overflowed: its subscription is over although its socket has not noticed yet.
    await subscribed(id, 1);
    stalled.socket.resume();
    const { payload } = await stalled.next('error', '1');
    expect(payload[0].extensions.code).toBe('SUBSCRIPTION_TOO_SLOW');
    expect(payload[0].extensions.resumeAfter).toMatch(/^[\w-]+$/);
  }, 60_000);
});

describe('an upgrade', () => {
  it('answers nonsense without harm', async () => {
    const { port } = new URL(fixture.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: nonsense\r\nConnection: Upgrade\r\n\r\n');
    const text = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
    expect(text).toMatch(/^HTTP\/1\.1 400/);
    socket.destroy();
    expect((await fetch(`${fixture.url}/healthz`)).status).toBe(200);
  });
});
