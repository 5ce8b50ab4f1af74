import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelId } from '../../src/lib/ids.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { chat, publish } from './live-events.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const QUERY = `subscription ($channelId: ID!) {
  eventReceived(channelId: $channelId) { __typename ... on ChatEvent { message } actor { member { id } } }
}`;

/** Subscribes by server-sent events and collects what comes. */
async function listen(body: object, key: string, accept = 'text/event-stream') {
  const abort = new AbortController();
  const response = await fetch(`${fixture.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept,
      authorization: `Bearer ${key}`,
    },
    body: JSON.stringify(body),
    signal: abort.signal,
  });
  const stream = { response, text: '', ended: false, leave: () => abort.abort() };
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const pump = async () => {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) break;
      stream.text += value;
    }
  };
  pump()
    .catch(() => undefined)
    .finally(() => {
      stream.ended = true;
    });
  return stream;
}

const subscribers = (channelId: ChannelId) => fixture.bus.presence.count({ channelId, kind: 'subscriber' });

describe('server-sent events', () => {
  it('deliver events, and a leaver is noticed at once, also on a quiet channel', async () => {
    const { id } = await fixture.channel('sse.one');
    const stream = await listen({ query: QUERY, variables: { channelId: id } }, fixture.operatorKey);
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    await waitFor(async () => (await subscribers(id)) === 1);
    await publish(fixture.bus, chat(id, 'over SSE'));
    await waitFor(() => stream.text.includes('over SSE'));
    const data =
      '{"data":{"eventReceived":{"__typename":"ChatEvent","message":"over SSE","actor":{"member":null}}}}';
    expect(stream.text).toContain(`event: next\ndata: ${data}\n\n`);
    stream.leave();
    await waitFor(async () => (await subscribers(id)) === 0);
  });

  it('[T-D2] hold the same limits, and errors say the same', async () => {
    const { id } = await fixture.channel('sse.two');
    const aliases = Array.from({ length: 30 }, (_, index) => `a${index}: __typename`).join(' ');
    for (const [query, code] of [
      ['{ channel(', 'GRAPHQL_PARSE_FAILED'],
      [`{ ${aliases} }`, 'GRAPHQL_VALIDATION_FAILED'],
      [
        '{ channels(first: 100) { edges { node { streams(first: 100) { edges { cursor node { id } } } } } } }',
        'COST_EXCEEDED',
      ],
    ]) {
      const stream = await listen({ query, variables: { channelId: id } }, fixture.operatorKey);
      await waitFor(() => stream.ended);
      expect(stream.text).toContain(`"code":"${code}"`);
      expect(stream.text).toMatch(/"requestId":"[0-9a-f-]{36}"/);
    }
  });

  it('[T-I6] of another channel are as if it were not there', async () => {
    const mine = await fixture.channel('sse.mine');
    const other = await fixture.channel('sse.other');
    const stream = await listen(
      { ...fixture.byId(QUERY), variables: { channelId: other.id } },
      mine.overlayKey,
    );
    await waitFor(() => stream.ended);
    expect(stream.text).toContain('"code":"CHANNEL_NOT_FOUND"');
  });

  it('are cut off within 5 s once the key is rotated, whatever the client said it accepts', async () => {
    for (const [index, accept] of ['text/event-stream', '*/*'].entries()) {
      const mine = await fixture.channel(`sse.rotate${index}`);
      const query = 'subscription ($channelId: ID!) { eventReceived(channelId: $channelId) { __typename } }';
      const stream = await listen(
        { ...fixture.byId(query), variables: { channelId: mine.id } },
        mine.overlayKey,
        accept,
      );
      await waitFor(async () => (await subscribers(mine.id)) === 1);
      await fixture.ask(`mutation { overlayKeyRotate(input: { channelId: "${mine.id}" }) { __typename } }`);
      await waitFor(() => stream.ended, { timeoutMs: 5_000 });
      await waitFor(async () => (await subscribers(mine.id)) === 0);
    }
  });

  it('[T-D3] end with a documented error and a cursor for a reader that stops reading', async () => {
    const { id } = await fixture.channel('sse.slow');
    const response = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${fixture.operatorKey}`,
      },
      body: JSON.stringify({ query: QUERY, variables: { channelId: id } }),
    });
    await waitFor(async () => (await subscribers(id)) === 1);
    const text = 'x'.repeat(20_000);
    for (let n = 0; n < 2_000 && (await subscribers(id)) === 1; n += 1) {
      await publish(fixture.bus, chat(id, text));
      if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await subscribers(id)).toBe(0);
    const received = await response.text();
    expect(received).toMatch(
      /"code":"SUBSCRIPTION_TOO_SLOW","requestId":"[0-9a-f-]{36}","docs":"\/docs\/errors#SUBSCRIPTION_TOO_SLOW","resumeAfter":"[\w-]+"/,
    );
  });
});
