import type { Socket } from 'node:net';
import {
  createBaseWebcastPushFrame,
  createWebSocketProvider,
  getWebSocketConfigDefaults,
} from 'tiktok-live-connector';
import { SIMULATOR_HEADER } from '../../simulator/marker.ts';
import { SourceError } from '../live-source.ts';
import { retryAfterMs } from './retry-after.ts';
import type { SignedRoom } from './sign-server.ts';
import type { WebClient } from './web-client.ts';

/** Largest frame taken from the socket, in bytes; a larger one closes the connection. */
const SOCKET_FRAME_BYTES_MAX = 8 * 1024 * 1024;

/** How long a polite close may take before the socket is cut, in milliseconds. */
const CLOSE_PATIENCE_MS = 1_000;

/** The connector's socket: a `WebSocket` that enters the room and keeps the heartbeat. */
export type WebcastSocket = ReturnType<ReturnType<typeof createWebSocketProvider>>;

/** What the socket reports. Nothing is reported of a socket that never opened. */
export interface SocketListener {
  onFrame(bytes: Uint8Array): void;
  onClose(code: number, reason: string): void;
}

/** An open socket in the room. */
export interface RoomSocket {
  readonly simulated: boolean;
  pause(): void;
  resume(): void;
  acknowledge(logId: string, internalExt: string): void;
  /** Idempotent; resolves when the socket is gone. */
  close(): Promise<void>;
}

/**
 * Opens the room's socket, enters the room and starts the heartbeat.
 * @throws SourceError BLOCKED, RATE_LIMITED or NETWORK; the attempt's own when `client.signal` ended it.
 */
export async function openRoomSocket(
  client: WebClient,
  room: SignedRoom,
  listener: SocketListener,
  nowMs: () => number,
): Promise<RoomSocket> {
  const socket = await createSocket(client, room);
  // The connector unpacks frames side by side and emits them as they come out. Ours are read in order. Listening starts
  // before the socket opens: the first frame may come in the same packet as the upgrade.
  socket.removeAllListeners('message');
  socket.on('message', (data) => listener.onFrame(bytesOf(data)));
  socket.on('ping', (data) => {
    if (socket.open) socket.pong(data); // the connector switches the library's own answer off
  });
  socket.on('error', () => {}); // a `close` always follows, and that is what ends the connection
  let opened = false;
  socket.once('open', () => {
    opened = true;
  });
  const gone = new Promise<void>((resolve) => {
    socket.once('close', (code, reason) => {
      if (opened) listener.onClose(code, String(reason));
      resolve();
    });
  });
  const { simulated, tcp } = await handshake(socket, client.signal, nowMs);
  socket.switchRooms(room.roomId);
  return {
    simulated,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    acknowledge: (logId, internalExt) => {
      gatherWrites(tcp);
      acknowledge(socket, logId, internalExt);
    },
    close: () => closeSocket(socket, gone),
  };
}

async function createSocket(client: WebClient, room: SignedRoom): Promise<WebcastSocket> {
  const { connection, presets, signal } = client;
  const provide = createWebSocketProvider(getWebSocketConfigDefaults(presets), {
    maxPayload: SOCKET_FRAME_BYTES_MAX,
    followRedirects: false,
  });
  const cookie = await connection.webClient.cookieJar.getCookieString();
  if (signal.aborted) throw signal.reason;
  return provide({
    roomId: room.roomId,
    baseUrl: room.socketUrl,
    wsParams: { ...room.socketParams },
    wsHeaders: { Cookie: cookie },
  });
}

/** What the answer to the upgrade told: the connection below the socket, and whether the simulator is behind it. */
interface Upgrade {
  readonly simulated: boolean;
  readonly tcp: Socket | undefined;
}

/** Resolves at the open socket. The socket is gone when this rejects. */
function handshake(socket: WebcastSocket, signal: AbortSignal, nowMs: () => number): Promise<Upgrade> {
  const opening = Promise.withResolvers<Upgrade>();
  let upgrade: Upgrade = { simulated: false, tcp: undefined };
  const onAbort = () => opening.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('upgrade', (response) => {
    upgrade = { simulated: response.headers[SIMULATOR_HEADER] === '1', tcp: response.socket };
  });
  socket.once('unexpected-response', (_request, response) => {
    const { 'retry-after': retryAfter, 'handshake-msg': message } = response.headers;
    opening.reject(refusal(response.statusCode ?? 0, retryAfter, message, nowMs()));
  });
  socket.once('error', (cause) => {
    opening.reject(new SourceError('NETWORK', 'The socket did not open.', { cause }));
  });
  socket.once('close', () => {
    opening.reject(new SourceError('NETWORK', 'The socket was closed while it opened.'));
  });
  socket.once('open', () => opening.resolve(upgrade));
  return opening.promise
    .catch((error: unknown) => {
      socket.terminate();
      throw error;
    })
    .finally(() => signal.removeEventListener('abort', onAbort));
}

/** TikTok refuses a socket with 200 and a `Handshake-Msg` such as DEVICE_BLOCKED, or with 403. */
function refusal(
  status: number,
  retryAfter: string | undefined,
  message: string | string[] | undefined,
  nowMs: number,
): SourceError {
  if (status === 429) {
    const wait = retryAfterMs({ retryAfter: retryAfter ?? null, reset: null }, nowMs);
    return new SourceError(
      'RATE_LIMITED',
      'TikTok answers 429 to the socket.',
      wait === null ? {} : { retryAfterMs: wait },
    );
  }
  if (status === 200 || status === 401 || status === 403 || message !== undefined) {
    return new SourceError('BLOCKED', `TikTok refuses the socket (${status}).`);
  }
  return new SourceError('NETWORK', `TikTok answered ${status} in place of a socket.`);
}

/** What is written before the next turn goes out in one system call: a busy room's frames are acknowledged several at a time. */
function gatherWrites(tcp: Socket | undefined): void {
  if (tcp === undefined || tcp.writableCorked > 0) return;
  tcp.cork();
  process.nextTick(() => tcp.uncork());
}

/** A frame without the text to repeat needs no answer. @see the connector's `sendAck` */
function acknowledge(socket: WebcastSocket, logId: string, internalExt: string): void {
  if (logId === '' || logId === '0' || internalExt === '') return;
  const frame = createBaseWebcastPushFrame({
    logId,
    payloadType: 'ack',
    payload: Buffer.from(internalExt, 'utf8'),
  });
  socket.sendBytes(frame.finish());
}

async function closeSocket(socket: WebcastSocket, gone: Promise<void>): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  socket.resume(); // a paused socket never reads the other side's close
  socket.close(1000);
  const cut = setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS);
  await gone;
  clearTimeout(cut);
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
