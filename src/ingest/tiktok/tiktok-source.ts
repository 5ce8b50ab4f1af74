import type { Clock } from '../../lib/clock.ts';
import { isLoopbackHost } from '../../lib/loopback.ts';
import {
  type ConnectionEnd,
  type LiveSource,
  type OpenRequest,
  type SourceConnection,
  SourceError,
  type SourceMessage,
} from '../live-source.ts';
import { type AttemptDeadline, attemptDeadline } from './abort.ts';
import { lookUpDirect } from './direct-lookup.ts';
import { errorCode } from './error-code.ts';
import { FrameQueue } from './frame-queue.ts';
import { createMessageDecoder, type MessageDecoder } from './message-decoder.ts';
import { MessageStream } from './message-stream.ts';
import { CONNECT_TIMEOUT_MS, requireSecureHosts, type TikTokSourceOptions } from './options.ts';
import type { RoomFacts } from './room-facts.ts';
import { openRoomSocket, type RoomSocket } from './room-socket.ts';
import { lookUpEuler, type SignDeps, type SignedRoom, signRoom } from './sign-server.ts';
import { createWebClient, type WebClient } from './web-client.ts';

/** A close reason is cut at this many characters; the protocol allows 123 bytes. */
const REASON_CHARACTERS_MAX = 123;

/**
 * TikTok LIVE through tiktok-live-connector 2.4.0: its HTTP client, cookie jar, sign request, socket (room entry, heartbeat,
 * acknowledgement) and schema. What it does with frames after that is replaced: order, back-pressure and errors are ours.
 * @throws InsecureHostError when the sign server would be talked to in the clear.
 */
export function createTikTokSource(options: TikTokSourceOptions): LiveSource {
  requireSecureHosts(options.hosts);
  const decode = createMessageDecoder();
  return {
    provider: 'TIKTOK',
    open: (request) => open(options, decode, request),
  };
}

async function open(
  options: TikTokSourceOptions,
  decode: MessageDecoder,
  request: OpenRequest,
): Promise<SourceConnection> {
  using deadline = attemptDeadline(request.signal, options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
  const connecting = connect(options, decode, request, deadline);
  try {
    return await deadline.race(connecting);
  } catch (error) {
    // The attempt may have come through at the very moment it was given up.
    connecting.then((connection) => connection.close()).catch(() => {});
    throw deadline.failure() ?? asSourceError(error);
  }
}

async function connect(
  options: TikTokSourceOptions,
  decode: MessageDecoder,
  request: OpenRequest,
  deadline: AttemptDeadline,
): Promise<SourceConnection> {
  const { clock, hosts } = options;
  const client = createWebClient({
    handle: request.handle,
    hosts,
    signKey: options.signKey,
    signal: deadline.signal,
  });
  const sign: SignDeps = { budget: options.signBudget, nowMs: () => clock.nowMs() };
  const facts =
    options.provider === 'euler'
      ? await lookUpEuler(client, sign, request.handle)
      : await lookUpDirect(client, request.handle, clock.nowMs());
  const signed = await signRoom(client, sign, facts.roomId);
  return join({ client, clock, decode, facts, signed, signal: request.signal });
}

interface JoinDeps {
  readonly client: WebClient;
  readonly clock: Clock;
  readonly decode: MessageDecoder;
  readonly facts: RoomFacts;
  readonly signed: SignedRoom;
  /** The caller's, which outlives the attempt. */
  readonly signal: AbortSignal;
}

/** Opens the socket and makes a connection of it. */
async function join(deps: JoinDeps): Promise<SourceConnection> {
  const { client, clock, decode, facts, signed, signal } = deps;
  const ended = Promise.withResolvers<ConnectionEnd>();
  let socket: RoomSocket | null = null;
  const queue = new FrameQueue({ pause: () => socket?.pause(), resume: () => socket?.resume() });
  const stream = new MessageStream(
    {
      queue,
      decode,
      acknowledge: (logId, internalExt) => socket?.acknowledge(logId, internalExt),
      onStreamEnd: (end) => {
        ended.resolve(end);
        void socket?.close(); // never rejects; `onClose` below finishes the stream
      },
    },
    { batch: signed.firstBatch, atMs: clock.nowMs() },
  );
  socket = await openRoomSocket(
    client,
    signed,
    {
      onFrame: (bytes) => queue.push(bytes, clock.nowMs()),
      onClose: (code, reason) => {
        ended.resolve({ kind: 'CLOSED', code, reason: reason.slice(0, REASON_CHARACTERS_MAX) });
        stream.finish();
        signal.removeEventListener('abort', onAbort);
      },
    },
    () => clock.nowMs(),
  );
  const opened = socket;
  if (queue.paused) opened.pause(); // frames that came along with the upgrade
  const close = async () => {
    ended.resolve({ kind: 'ABORTED' });
    stream.discard();
    await opened.close();
  };
  const onAbort = () => void close(); // never rejects
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    roomId: signed.roomId,
    title: facts.title,
    simulated: isSimulated(client, [facts.simulated, signed.simulated, opened.simulated]),
    messages: pull(stream, close),
    ended: ended.promise,
    close,
  };
}

/** The stream as an iterable whose `return()` closes at once, also while a `next()` waits on a quiet room. */
function pull(stream: MessageStream, close: () => Promise<void>): AsyncIterable<readonly SourceMessage[]> {
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const portion = await stream.next();
        return portion === null ? { done: true, value: undefined } : { done: false, value: portion };
      },
      async return() {
        await close();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** The simulator says so in what it answers; and nothing on this machine itself can be TikTok. */
function isSimulated(client: WebClient, told: readonly boolean[]): boolean {
  return (
    told.includes(true) || isLoopbackHost(client.hosts.webHost) || isLoopbackHost(client.hosts.webcastHost)
  );
}

function asSourceError(error: unknown): SourceError {
  if (error instanceof SourceError) return error;
  return new SourceError('NETWORK', `TikTok is out of reach (${errorCode(error)}).`);
}
