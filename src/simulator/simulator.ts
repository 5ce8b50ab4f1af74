import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createRandom } from '../lib/random.ts';
import { FaultControl, type FaultSetting } from './faults.ts';
import { DEFAULT_HANDLE, FIXED_HANDLES, type HandleState } from './handles.ts';
import { SIMULATOR_HEADER } from './marker.ts';
import { PushServer } from './push-server.ts';
import { Room } from './room.ts';
import { answerWebRequest, type RouteContext } from './web-routes.ts';

/** The simulator speaks to this machine only. */
const HOST = '127.0.0.1';

export interface SimulatorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The same seed gives the same viewers and messages. */
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
  /** The handles that are live. */
  readonly handles: readonly string[];
  readonly faults: FaultControl;
  /** The stream of a live handle: its latest. @throws AssertionError for a handle that is not among `handles`. */
  room(handle?: string): Room;
  /** Closes the port and every connection; resolves when nothing is open any more. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-in for TikTok's web routes, the sign server and the push WebSocket on 127.0.0.1.
 * Rejects with the system's error when the port is taken.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { clock, logger } = options;
  const random = createRandom(options.seed);
  const faults = new FaultControl({ random: random.fork('faults') }, options.faults ?? []);
  const handles = options.handles ?? [DEFAULT_HANDLE];
  const states = new Map<string, HandleState>(Object.entries(FIXED_HANDLES));
  for (const handle of handles) states.set(handle, 'live');
  const rooms = new Map<string, Room>();
  for (const handle of states.keys()) {
    rooms.set(handle, new Room({ clock, faults }, { handle, roomId: roomIdOf(handle, clock.nowMs()) }));
  }
  const roomById = (roomId: string): Room | undefined =>
    rooms.values().find((room) => room.roomId === roomId);
  const push = new PushServer({ faults, logger, roomById, onEntered });
  function onEntered(room: Room): void {
    logger.debug({ viewers: room.viewers }, 'simulator.entered');
    if (states.get(room.handle) === 'suspended') void room.control(4);
  }

  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, tcp: Socket, head: Buffer) =>
    push.upgrade(request, tcp, head),
  );
  const port = await listening(server, options.port ?? 0);
  const context: RouteContext = {
    handleState: (handle) => states.get(handle),
    roomOf: (handle) => rooms.get(handle),
    roomById,
    faults,
    pushServer: `ws://${HOST}:${port}/ws`,
  };
  server.on('request', (request, response) => answer(request, response, context));
  logger.info({ port }, 'simulator.started');

  return {
    port,
    webHost: `${HOST}:${port}`,
    webcastHost: `${HOST}:${port}`,
    signUrl: `http://${HOST}:${port}`,
    handles,
    faults,
    room(handle = handles[0] ?? DEFAULT_HANDLE) {
      const room = rooms.get(handle);
      assert(room !== undefined, 'the handle is live in this simulator');
      return room;
    },
    async stop() {
      push.stop();
      server.closeAllConnections();
      if (!server.listening) return;
      await new Promise<void>((resolve) => server.close(() => resolve()));
      logger.info({ port }, 'simulator.stopped');
    },
  };
}

function listening(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.removeListener('error', reject);
      // A TCP server that listens has an address of this form.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, context: RouteContext): void {
  const url = new URL(request.url ?? '/', `http://${HOST}`);
  const { status, headers, body } = answerWebRequest(url.pathname, url.searchParams, context);
  response.writeHead(status, {
    ...headers,
    [SIMULATOR_HEADER]: '1',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** A room id as TikTok makes them: 19 digits beginning with 7, new for each stream. */
function roomIdOf(handle: string, nowMs: number): string {
  const serial = createRandom(`${handle}/${nowMs}`).integer(0, 99_999);
  return `7${(nowMs % 10 ** 13).toString().padStart(13, '0')}${serial.toString().padStart(5, '0')}`;
}
