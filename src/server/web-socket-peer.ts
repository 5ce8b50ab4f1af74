import { randomUUID } from 'node:crypto';
import type { WebSocket as ProtocolSocket } from 'graphql-ws';
import type { RawData, WebSocket } from 'ws';
import type { Logger } from '../lib/logger.ts';
import { CLOSE_CODES, type CloseCode } from './close-codes.ts';
import { brokenShape } from './json-shape.ts';
import { JSON_SHAPE, SOCKET_BUFFER_BYTES_MAX, SOCKET_STALL_MS } from './limits.ts';
import { createMessageRate } from './message-rate.ts';

/** How long a peer may take to answer our close before the socket is cut, in milliseconds. */
const CLOSE_GRACE_MS = 1_000;

/**
 * One WebSocket, as the protocol core sees it. Sending waits until the operating system took the message, so an operation
 * whose reader is slow stands still and its feed's own buffer decides what is lost.
 */
export class Peer implements ProtocolSocket {
  /** Names the connection in presence and logs. */
  readonly id: string = randomUUID();
  readonly #socket: WebSocket;
  readonly #logger: Logger;
  readonly #sending = new Set<{ readonly since: number }>();
  readonly #mayReceive: () => boolean;
  #answered: boolean = true;

  constructor(socket: WebSocket, logger: Logger, mayReceive = createMessageRate()) {
    this.#socket = socket;
    this.#mayReceive = mayReceive;
    this.#logger = logger;
    socket.on('pong', () => {
      this.#answered = true;
      if (!this.#mayReceive()) this.closeWith(CLOSE_CODES.TOO_FAST);
    });
    socket.on('ping', (data) => this.#answerPing(data));
    // The socket closes by itself after an error; a listener keeps the process from ending for it.
    socket.on('error', (error) => logger.debug({ err: error, connectionId: this.id }, 'socket.failed'));
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(data: string): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    const entry = { since: performance.now() };
    this.#sending.add(entry);
    return new Promise((resolve) => {
      // An error means that the socket is gone, which its close event tells everybody who needs to know.
      this.#socket.send(data, () => {
        this.#sending.delete(entry);
        this.#resumeIfRead();
        resolve();
      });
      // Who does not read is not read: every message asks for an answer, and those would pile up faster than we look.
      if (this.#isFull()) this.#socket.pause();
    });
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS).unref();
  }

  closeWith({ code, reason }: CloseCode): void {
    this.close(code, reason);
  }

  onMessage(handle: (data: string) => Promise<void>): void {
    this.#socket.on('message', (data, isBinary) => void this.#receive(data, isBinary, handle));
  }

  async #receive(data: RawData, isBinary: boolean, handle: (data: string) => Promise<void>): Promise<void> {
    if (!this.isOpen) return;
    if (!this.#mayReceive()) return this.closeWith(CLOSE_CODES.TOO_FAST);
    const text = String(data);
    if (isBinary || brokenShape(text, JSON_SHAPE) !== null) return this.closeWith(CLOSE_CODES.BAD_REQUEST);
    try {
      await handle(text);
    } catch (error) {
      // What clients cause was answered as an error of its operation: this is ours, most likely the database.
      this.#logger.error({ err: error, connectionId: this.id }, 'socket.message.failed');
      this.closeWith(CLOSE_CODES.TRY_AGAIN_LATER);
    }
  }

  /** Answers that wait for a reader who does not read would pile up like any others. */
  #answerPing(data: Buffer): void {
    if (!this.isOpen) return;
    if (!this.#mayReceive()) {
      this.closeWith(CLOSE_CODES.TOO_FAST);
      return;
    }
    // The server's frames are not masked.
    this.#socket.pong(data, false, () => this.#resumeIfRead());
    if (this.#isFull()) this.#socket.pause();
  }

  /** Closes the connection when its reader has stopped reading. */
  checkProgress(): void {
    const oldest = this.#sending.values().next().value; // in the order they were sent
    const stalled = oldest !== undefined && performance.now() - oldest.since > SOCKET_STALL_MS;
    if (stalled || this.#isFull()) this.closeWith(CLOSE_CODES.TOO_SLOW);
  }

  #resumeIfRead(): void {
    if (this.#socket.isPaused && !this.#isFull()) this.#socket.resume();
  }

  #isFull(): boolean {
    return this.#socket.bufferedAmount > SOCKET_BUFFER_BYTES_MAX;
  }

  /** Asks whether somebody is there; cuts the connection when the last question was not answered. */
  ping(): void {
    const alive = this.#answered;
    this.#answered = false;
    if (!alive) this.#socket.terminate();
    else if (this.isOpen) this.#socket.ping();
  }
}
