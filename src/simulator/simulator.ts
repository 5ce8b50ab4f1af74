import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createRandom } from '../lib/random.ts';
import { Broadcast, type BroadcastOptions } from './broadcast.ts';
import { FaultControl, type FaultSetting } from './faults.ts';
import { DEFAULT_HANDLE, FIXED_HANDLES, type HandleState } from './handles.ts';
import { SIMULATOR_HEADER } from './marker.ts';
import { PushServer } from './push-server.ts';
import type { Room } from './room.ts';
import { json, type WebAnswer } from './web-answer.ts';
import { answerWebRequest, type WebContext } from './web-routes.ts';

/** The simulator speaks to this machine only. */
const HOST = '127.0.0.1';

/** Longest body of a request, in bytes: a URL to sign. */
const REQUEST_BYTES_MAX = 64 * 1024;

export interface SimulatorOptions extends Partial<BroadcastOptions> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The same seed gives the same viewers and messages at the same times. */
  readonly seed: number;
  /** TCP port on 127.0.0.1; 0 or left out takes any free one. */
  readonly port?: number;
  /** The handles that are live; `simulated` when left out. */
  readonly handles?: readonly string[];
  readonly faults?: readonly FaultSetting[];
}

/** A running simulator. */
export interface Simulator {
  readonly port: number;
  /** `host:port` in place of `www.tiktok.com`. */
  readonly webHost: string;
  /** `host:port` in place of `webcast.tiktok.com`. */
  readonly webcastHost: string;
  /** In place of the sign server's base URL. */
  readonly signUrl: string;
  /** The handles that were live at the start. */
  readonly handles: readonly string[];
  /** Switches faults on and off while it runs. */
  readonly faults: FaultControl;
  /** The handle's stream of the moment (the first live handle's when left out), to push messages through. */
  room(handle?: string): Room;
  /** Changes what becomes of a handle, also of one unknown before. `live` begins a new stream. */
  setHandle(handle: string, state: HandleState): void;
  /** Closes the port and every connection; resolves when nothing is open or running any more. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-in for TikTok's web routes, the sign server and the push WebSocket on 127.0.0.1.
 * Rejects with the system's error when the port is taken.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { logger } = options;
  const faults = new FaultControl(
    { random: createRandom(options.seed).fork('faults') },
    options.faults ?? [],
  );
  const handles = options.handles ?? [DEFAULT_HANDLE];
  const broadcasts = new Map<string, Broadcast>();
  const broadcastByRoom = (roomId: string): Broadcast | undefined =>
    broadcasts.values().find((broadcast) => broadcast.room.roomId === roomId);
  const setHandle = (handle: string, state: HandleState): void => {
    const known = broadcasts.get(handle);
    if (known !== undefined) known.setState(state);
    else broadcasts.set(handle, newBroadcast(options, faults, { name: handle, state }));
  };
  for (const [handle, state] of Object.entries(FIXED_HANDLES)) setHandle(handle, state);
  for (const handle of handles) setHandle(handle, 'live');

  const push = new PushServer({ faults, logger, broadcastByRoom });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, tcp: Socket, head: Buffer) =>
    push.upgrade(request, tcp, head),
  );
  const port = await listening(server, options.port ?? 0);
  const context: WebContext = {
    broadcastOf: (handle) => broadcasts.get(handle),
    broadcastByRoom,
    broadcasts: () => broadcasts.values(),
    faults,
    pushServer: `ws://${HOST}:${port}/ws`,
  };
  server.on('request', (request, response) => {
    serve(request, response, context).catch((error: unknown) => {
      logger.debug({ err: error }, 'simulator.request_failed');
      response.destroy();
    });
  });
  logger.info({ port }, 'simulator.started');

  return {
    port,
    webHost: `${HOST}:${port}`,
    webcastHost: `${HOST}:${port}`,
    signUrl: `http://${HOST}:${port}`,
    handles,
    faults,
    room(handle = handles[0] ?? DEFAULT_HANDLE) {
      const broadcast = broadcasts.get(handle);
      assert(broadcast !== undefined, 'the simulator has the handle');
      return broadcast.room;
    },
    setHandle,
    async stop() {
      await Promise.all(broadcasts.values().map((broadcast) => broadcast.stop()));
      push.stop();
      await closed(server);
      logger.info({ port }, 'simulator.stopped');
    },
  };
}

function newBroadcast(
  options: SimulatorOptions,
  faults: FaultControl,
  handle: { readonly name: string; readonly state: HandleState },
): Broadcast {
  return new Broadcast({ clock: options.clock, logger: options.logger, faults }, handle, {
    scenario: options.scenario ?? null,
    seed: options.seed,
    ratePerSecond: options.ratePerSecond ?? null,
    viewers: options.viewers ?? null,
    floodMessagesMax: options.floodMessagesMax ?? null,
    endAfterMs: options.endAfterMs ?? null,
    liveAgainAfterMs: options.liveAgainAfterMs ?? null,
  });
}

function listening(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.removeListener('error', reject);
      // A TCP server that listens has an address of this form.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function serve(request: IncomingMessage, response: ServerResponse, context: WebContext): Promise<void> {
  const { status, headers, body } = await answer(request, context);
  response.writeHead(status, {
    ...headers,
    [SIMULATOR_HEADER]: '1',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

async function answer(request: IncomingMessage, context: WebContext): Promise<WebAnswer> {
  const body = await bodyOf(request);
  if (body === null) return json(413, { code: 413, message: 'The request is too long.' });
  try {
    const url = new URL(request.url ?? '/', `http://${HOST}`);
    return answerWebRequest({ path: url.pathname, query: url.searchParams, body }, context);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof URIError || error instanceof TypeError))
      throw error;
    return json(400, { code: 400, message: 'The request cannot be read.' });
  }
}

/** The request's body as text, null when it is longer than any that makes sense. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > REQUEST_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
