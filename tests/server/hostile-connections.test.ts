import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';
import { CONNECTIONS_PER_ADDRESS_MAX, LIVE_CONNECTIONS_PER_KEY_MAX } from '../../src/server/limits.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** A connection on which `text` was sent; it does not close its half by itself. */
async function send(text: string, url = fixture.url): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}

const UPGRADE = 'GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Runs `act` while no key can be looked up: whoever sent one waits. */
async function whileKeysAreLocked(act: () => Promise<void>): Promise<void> {
  await fixture.db.transaction().execute(async (tx) => {
    await sql`lock table access_key in access exclusive mode`.execute(tx);
    await act();
  });
}

describe('a connection that asks to be upgraded in vain', () => {
  it('[T-D3] does not end the server by being reset', async () => {
    for (let index = 0; index < 50; index += 1) (await send(UPGRADE)).resetAndDestroy();
    // An error without a listener would fail this test file, as it would end the process.
    await sleep(50);
    expect((await fetch(`${fixture.url}/healthz`)).status).toBe(200);
  });

  it('[T-D3] is closed whole, also when the other side keeps its half open', async () => {
    const socket = await send(UPGRADE);
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    await waitFor(async () => {
      await new Promise((resolve) => socket.write('x', resolve));
      return socket.destroyed;
    });
  });
});

describe('an address', () => {
  it('[T-D3] has so many connections, also those on which it says nothing, and gets them back', async () => {
    await using other = await startApiFixture();
    const { hostname, port } = new URL(other.url);
    const open = async () => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    };
    const idle = await Promise.all(Array.from({ length: CONNECTIONS_PER_ADDRESS_MAX }, open));
    const one = await open();
    await waitFor(() => one.destroyed || one.readableEnded || !one.readable, { message: 'the last is cut' });
    for (const socket of idle) socket.destroy();
    await waitFor(async () => (await fetch(`${other.url}/healthz`).catch(() => null))?.status === 200);
  });
});

describe('a WebSocket that is alive all too much', () => {
  const START = { TEXT: 0x01, MORE: 0x00 };
  /** A masked frame, the mask being zero. */
  const frame = (head: number, text: string) =>
    Buffer.concat([Buffer.from([head, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

  it('[T-D3] is closed when it pings without end', async () => {
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    for (let index = 0; index < 300; index += 1) client.socket.ping();
    expect(await client.closed).toEqual({ code: 4414, reason: 'Too fast' });
  });

  it('[T-D3] is answered when it pings now and then', async () => {
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    const answer = once(client.socket, 'pong');
    client.socket.ping('there?');
    expect(String((await answer)[0])).toBe('there?');
  });

  it('[T-D3] is closed when a message comes in more pieces than anybody needs', async () => {
    using client = await openSocket(fixture.url, { key: fixture.operatorKey });
    // What no client would send is written below the library, on its own connection.
    const { _socket: raw } = client.socket as unknown as { readonly _socket: Socket };
    raw.write(frame(START.TEXT, 'a'));
    for (let index = 0; index < 200; index += 1) raw.write(frame(START.MORE, 'a'));
    expect((await client.closed).code).toBe(1008);
  });
});

describe('a client that sends slowly', () => {
  it('[T-D3] has 10 s for its headers, and not the 40 s that would make places scarce', {
    timeout: 20_000,
  }, async () => {
    const socket = await send('GET /healthz HTTP/1.1\r\n');
    const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
    const drip = setInterval(() => socket.write('x-a: b\r\n'), 500);
    const startedAt = performance.now();
    expect(await answer).toMatch(/^HTTP\/1\.1 408/);
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    socket.destroy();
  });
});

describe('a client that leaves while it sends', () => {
  it('[T-D3] is not taken for an outage, and fills no log', async () => {
    const lines: string[] = [];
    await using other = await startApiFixture({
      logger: createLogger('info', { write: (line) => lines.push(line) }),
    });
    const head = `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${other.operatorKey}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
    for (let index = 0; index < 20; index += 1) {
      const socket = await send(head, other.url);
      await sleep(20);
      socket.resetAndDestroy();
    }
    await sleep(100);
    expect(lines.filter((line) => line.includes('"module":"api"') && line.includes('failed'))).toEqual([]);
  });
});

describe('a client that leaves while its key is looked up', () => {
  it('[T-D3] does not keep a place of its key, by HTTP', async () => {
    const { overlayKey } = await fixture.channel('leaves.http');
    const body = JSON.stringify(fixture.byId('{ __typename }'));
    const head = `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${overlayKey}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    await leaveManyTimes(async () => {
      const socket = await send(head + body);
      return () => socket.resetAndDestroy();
    });
    expect((await fixture.post({ query: '{ __typename }' }, overlayKey)).status).toBe(200);
  });

  it('[T-D3] does not keep a place of its key, by WebSocket', async () => {
    const { overlayKey } = await fixture.channel('leaves.ws');
    await leaveManyTimes(async () => {
      const client = await openSocket(fixture.url);
      client.send({ type: 'connection_init', payload: { key: overlayKey } });
      return () => client.socket.terminate();
    });
    expect((await fixture.post({ query: '{ __typename }' }, overlayKey)).status).toBe(200);
  });
});

/** As many clients as a key may have, each gone before its key is known. */
async function leaveManyTimes(come: () => Promise<() => void>): Promise<void> {
  await whileKeysAreLocked(async () => {
    const leave = await Promise.all(Array.from({ length: LIVE_CONNECTIONS_PER_KEY_MAX }, come));
    await sleep(200);
    for (const each of leave) each();
    await sleep(200);
  });
  await sleep(300);
}

describe('a subscription over HTTP', () => {
  const query = 'subscription ($id: ID!) { streamUpdated(channelId: $id) { kind } }';

  it('[T-D3] of a client that takes no event stream is refused and leaves nothing behind', async () => {
    const { id, overlayKey } = await fixture.channel('takes.no.stream');
    for (const accept of ['application/json', 'multipart/mixed', 'text/html']) {
      const response = await fixture.post({ ...fixture.byId(query), variables: { id } }, overlayKey, {
        accept,
      });
      expect([accept, response.status]).toEqual([accept, 406]);
    }
    await waitFor(
      async () => (await fixture.bus.presence.count({ channelId: id, kind: 'subscriber' })) === 0,
      { timeoutMs: 2_000, message: 'no subscriber' },
    );
  });

  it('[T-D3] of a client that leaves at any moment leaves nothing behind', async () => {
    const { id, overlayKey } = await fixture.channel('leaves.stream');
    const body = JSON.stringify({ ...fixture.byId(query), variables: { id } });
    const head = `POST /graphql HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${overlayKey}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    for (let index = 0; index < 60; index += 1) {
      const socket = await send(head + body);
      await sleep(index / 4);
      socket.resetAndDestroy();
    }
    await waitFor(
      async () => (await fixture.bus.presence.count({ channelId: id, kind: 'subscriber' })) === 0,
      { timeoutMs: 3_000, message: 'no subscriber' },
    );
  });
});
