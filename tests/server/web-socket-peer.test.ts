import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { createLogger } from '../../src/lib/logger.ts';
import { SOCKET_BUFFER_BYTES_MAX, SOCKET_STALL_MS } from '../../src/server/limits.ts';
import { Peer } from '../../src/server/web-socket-peer.ts';
import { waitFor } from '../support/wait.ts';

let server: WebSocketServer;
let client: WebSocket;
let peer: Peer;
let serverSide: WebSocket;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  [serverSide] = (await accepted) as [WebSocket];
  peer = new Peer(serverSide, createLogger('silent'), () => true);
  await waitFor(() => client.readyState === client.OPEN);
});
afterEach(() => {
  vi.restoreAllMocks();
  client.terminate();
  server.close();
});

const closedWith = () => new Promise<number>((resolve) => serverSide.once('close', (code) => resolve(code)));
/** Fills the kernel's buffers of both sides, so that what is sent next waits. */
function fill(bytes: number): Promise<void>[] {
  return Array.from({ length: Math.ceil(bytes / 100_000) }, () => peer.send('x'.repeat(100_000)));
}

describe('a peer', () => {
  it('[T-D3] that lets a message wait too long is closed, also when it is small', async () => {
    client.pause();
    const sent = fill(900_000 + 6_000_000);
    await waitFor(() => serverSide.bufferedAmount > 0);
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const closing = vi.spyOn(serverSide, 'close');
    const last = peer.send('small');
    now += SOCKET_STALL_MS + 1;
    peer.checkProgress();
    expect(closing.mock.calls[0]).toEqual([4413, 'Too slow']);
    // It reads nothing, our close included: it is cut, and every sender is let go.
    await closedWith();
    await Promise.all([...sent, last]);
  });

  it('[T-D3] whose buffer has grown too large is closed', async () => {
    client.pause();
    const closing = vi.spyOn(serverSide, 'close');
    peer.checkProgress();
    expect(closing).not.toHaveBeenCalled();
    const sent = fill(20_000_000);
    peer.checkProgress();
    expect(closing.mock.calls[0]).toEqual([4413, 'Too slow']);
    await closedWith();
    await Promise.all(sent);
  });

  it('[T-D3] that asks and asks without reading the answers is not read on, until it reads', async () => {
    let asked = 0;
    peer.onMessage(async (data) => {
      asked += 1;
      await peer.send(data);
    });
    client.pause();
    const question = 'x'.repeat(100_000);
    const QUESTIONS = 400;
    for (let index = 0; index < QUESTIONS; index += 1) client.send(question);
    await waitFor(() => serverSide.isPaused);
    const askedUntilFull = asked;
    await sleep(200);
    expect(asked - askedUntilFull).toBeLessThanOrEqual(1);
    expect(serverSide.bufferedAmount).toBeLessThan(2 * SOCKET_BUFFER_BYTES_MAX);
    client.resume();
    await waitFor(() => asked === QUESTIONS);
  });

  it('[T-D3] that does not answer pings is cut, one that does stays', async () => {
    peer.ping();
    await waitFor(() => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      serverSide.once('pong', () => resolve(true));
      serverSide.ping();
      return promise;
    });
    peer.ping();
    expect(serverSide.readyState).toBe(serverSide.OPEN);
    client.pause();
    const closed = closedWith();
    peer.ping();
    peer.ping();
    peer.ping();
    expect(await closed).toBe(1006);
  });

  it('that is gone lets its senders go on', async () => {
    client.terminate();
    await closedWith();
    await expect(peer.send('too late')).resolves.toBeUndefined();
  });
});
