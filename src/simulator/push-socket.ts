import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/** How long a client may leave a full socket unread before it is dropped, in milliseconds. */
const DRAIN_TIMEOUT_MS = 30_000;

/** Why the server closes: the room's stream is over or the simulator stops (RFC 6455, section 7.4.1: going away). */
const CLOSE_GOING_AWAY = 1001;

/** One client's push connection, as the writing side sees it. */
export class PushSocket {
  readonly #webSocket: WebSocket;
  readonly #tcp: Socket;
  #draining: Promise<void> | null = null;
  #cut: boolean;

  constructor(connection: { readonly webSocket: WebSocket; readonly tcp: Socket }) {
    this.#webSocket = connection.webSocket;
    this.#tcp = connection.tcp;
    this.#cut = false;
  }

  get open(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN && !this.#cut;
  }

  /**
   * Writes one frame; resolves when the socket takes more. A client that takes nothing for 30 s is dropped, so that it
   * cannot hold the room back for ever. False when the connection is gone.
   */
  async write(frame: Buffer): Promise<boolean> {
    if (!this.open) return false;
    this.#webSocket.send(frame, { binary: true, compress: false, fin: true });
    if (this.#tcp.writableNeedDrain) {
      this.#draining ??= this.#drained();
      await this.#draining;
    }
    return this.open;
  }

  /** Writes the beginning of a frame and destroys the connection: the client is left with half a message. */
  cut(frame: Buffer): void {
    const header = Buffer.alloc(10);
    header[0] = 0x82; // the last (and only) fragment of a binary message
    header[1] = 127; // the length follows as 64 bits
    header.writeBigUInt64BE(BigInt(frame.length), 2);
    const half = Buffer.concat([header, frame.subarray(0, Math.floor(frame.length / 2))]);
    this.#cut = true; // nothing may follow the half that is written
    this.#tcp.write(half, () => this.#tcp.destroy());
  }

  close(reason: string): void {
    this.#webSocket.close(CLOSE_GOING_AWAY, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  async #drained(): Promise<void> {
    const closed = new AbortController();
    const stop = (): void => closed.abort();
    this.#tcp.once('close', stop);
    const timer = setTimeout(stop, DRAIN_TIMEOUT_MS);
    try {
      await once(this.#tcp, 'drain', { signal: closed.signal });
    } catch {
      // Closed, or unread for too long: either way nothing more is written to it.
      this.terminate();
    } finally {
      clearTimeout(timer);
      this.#tcp.removeListener('close', stop);
      this.#draining = null;
    }
  }
}
