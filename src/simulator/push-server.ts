import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebcastImEnterRoomMessage, WebcastPushFrame } from 'tiktok-live-proto/v3';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Logger } from '../lib/logger.ts';
import type { Broadcast } from './broadcast.ts';
import type { FaultControl } from './faults.ts';
import { encodePushFrame } from './frame.ts';
import { SIMULATOR_HEADER } from './marker.ts';
import { PushSocket } from './push-socket.ts';
import type { Room } from './room.ts';

/** A client sends acknowledgements and heartbeats: small things. Larger messages close its socket. */
const CLIENT_MESSAGE_BYTES_MAX = 64 * 1024;

export interface PushServerDeps {
  readonly faults: FaultControl;
  readonly logger: Logger;
  broadcastByRoom(roomId: string): Broadcast | undefined;
}

/** The WebSocket side: upgrades, and what clients say. */
export class PushServer {
  readonly #deps: PushServerDeps;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
  });
  /** Every upgraded, or by a fault never upgraded, connection. */
  readonly #connections = new Set<Socket>();
  readonly #stopping = new AbortController();

  constructor(deps: PushServerDeps) {
    this.#deps = deps;
    this.#server.on('headers', (headers: string[]) => headers.push(`${SIMULATOR_HEADER}: 1`));
  }

  /** Takes over an upgrade request. */
  upgrade(request: IncomingMessage, tcp: Socket, head: Buffer): void {
    this.#connections.add(tcp);
    tcp.once('close', () => this.#connections.delete(tcp));
    tcp.on('error', () => tcp.destroy());
    if (this.#deps.faults.strike('no-upgrade') !== undefined) return;
    const refusal = this.#deps.faults.strike('refuse-upgrade');
    if (refusal !== undefined) {
      tcp.end(`HTTP/1.1 ${refusal.value} Refused\r\n${SIMULATOR_HEADER}: 1\r\nconnection: close\r\n\r\n`);
      return;
    }
    this.#server.handleUpgrade(request, tcp, head, (webSocket) => this.#accept(webSocket, tcp));
  }

  /** Closes every connection at once. */
  stop(): void {
    this.#stopping.abort();
    for (const client of this.#server.clients) client.terminate();
    for (const tcp of this.#connections) tcp.destroy();
    this.#server.close();
  }

  #accept(webSocket: WebSocket, tcp: Socket): void {
    const socket = new PushSocket({ webSocket, tcp });
    const visit: { room: Room | null } = { room: null };
    webSocket.on('error', (error) => this.#deps.logger.debug({ err: error }, 'simulator.socket_failed'));
    webSocket.on('close', () => visit.room?.leave(socket));
    webSocket.on('message', (data) => {
      this.#handle(data, socket, visit).catch((error: unknown) => {
        // What a client sends is not ours to trust: bytes that do not decode end its connection.
        this.#deps.logger.debug({ err: error }, 'simulator.client_message_refused');
        socket.terminate();
      });
    });
  }

  async #handle(data: RawData, socket: PushSocket, visit: { room: Room | null }): Promise<void> {
    // The server gives Buffers: its binaryType is left at the default, `nodebuffer`.
    const frame = WebcastPushFrame.decode(data as Buffer);
    switch (frame.payloadType) {
      case 'im_enter_room': {
        const { roomId } = WebcastImEnterRoomMessage.decode(frame.payload);
        await this.#enter(roomId, socket, visit);
        return;
      }
      case 'hb':
        if (visit.room !== null) visit.room.counters.heartbeats += 1;
        await socket.write(encodePushFrame('hb', Buffer.alloc(0), frame.logId));
        return;
      case 'ack':
        if (visit.room !== null) visit.room.counters.acknowledgements += 1;
        return;
      default:
        return;
    }
  }

  async #enter(roomId: string, socket: PushSocket, visit: { room: Room | null }): Promise<void> {
    const slow = this.#deps.faults.strike('slow-ack');
    if (slow !== undefined) await sleep(slow.value, undefined, { signal: this.#stopping.signal });
    const broadcast = this.#deps.broadcastByRoom(roomId);
    if (broadcast === undefined) {
      socket.close('no such room');
      return;
    }
    visit.room?.leave(socket);
    await socket.write(encodePushFrame('im_enter_room_resp', Buffer.alloc(0), '0'));
    if (!socket.open) return;
    visit.room = broadcast.room;
    broadcast.room.enter(socket);
    broadcast.entered();
  }
}
