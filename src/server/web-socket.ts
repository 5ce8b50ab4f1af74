import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, FormattedExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';
import {
  type Context,
  handleProtocols,
  makeServer,
  type ExecutionResult as ProtocolResult,
  type SubscribePayload,
} from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Viewer } from '../auth/viewer.ts';
import type { RequestInfo, Services } from '../context.ts';
import type { Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import type { Authenticate } from './authenticate.ts';
import type { ClientAddress } from './client-address.ts';
import { mayCallFrom } from './client-origin.ts';
import { CLOSE_CODES } from './close-codes.ts';
import type { CostRules } from './cost-bucket.ts';
import { chooseDocument, type FreeForm } from './document-choice.ts';
import { type ErrorContext, errorJson, formatError } from './error-format.ts';
import { type GraphqlServer, graphqlError } from './graphql.ts';
import {
  BODY_BYTES_MAX,
  CONNECTION_INIT_MS,
  FRAGMENTS_PER_MESSAGE_MAX,
  OPERATIONS_PER_SOCKET_MAX,
  PING_EVERY_MS,
} from './limits.ts';
import type { LiveConnections } from './live-connections.ts';
import { Pledge } from './pledge.ts';
import { requestInfoOf } from './request-info.ts';
import { Peer } from './web-socket-peer.ts';

/** How often it is looked whether readers read, in milliseconds. */
const PROGRESS_EVERY_MS = 1_000;

interface Extra {
  readonly peer: Peer;
  readonly request: RequestInfo;
  /** Of a page that may come as a client that allows its origin, and as nobody else. */
  readonly clientPage: boolean;
  /** Known once the connection is acknowledged. */
  viewer: Viewer | null;
  /** Takes the connection out of the list of those whose keys are watched. */
  leave: () => void;
}
type SocketContext = Context<ConnectionParams, Extra>;

/** What `connection_init` brings: a key of some kind, or an access token. */
type ConnectionParams = { readonly key?: unknown; readonly token?: unknown };

interface SocketDeps {
  readonly services: Services;
  readonly graphql: GraphqlServer;
  readonly connections: LiveConnections;
  readonly development: boolean;
  readonly clientAddress: ClientAddress;
  readonly freeForm: FreeForm;
  readonly authenticate: Authenticate;
  readonly deposits: Deposits;
  readonly costRules: CostRules;
}

/** GraphQL over WebSocket. */
export interface SocketServer {
  /** Takes over a connection that asked to become a WebSocket, and was found to be allowed to. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    /** `clientPage`: of a page that may come as a client that allows its origin, and as nobody else. */
    options?: { readonly clientPage: boolean },
  ): void;
  readonly connectionCount: number;
  /** Closes every connection with 1001. */
  stop(): void;
}

/** What an operation runs with; `run` is how, with the rules of the HTTP side. */
interface Operation extends ExecutionArgs {
  readonly requestId: string;
  readonly execute: (args: ExecutionArgs) => ReturnType<typeof import('graphql').execute>;
  readonly subscribe: (args: ExecutionArgs) => ReturnType<typeof import('graphql').subscribe>;
}

/**
 * Serves the graphql-transport-ws protocol. The key or token comes in `connection_init`; a document that is refused is an error of
 * its operation and never ends the socket. @see close-codes.ts for how the server ends one
 */
export function createSocketServer(deps: SocketDeps): SocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: BODY_BYTES_MAX,
    // A message in pieces of a byte would take a hundred times its size in memory.
    maxFragments: FRAGMENTS_PER_MESSAGE_MAX,
    autoPong: false, // the peer answers: a ping is a message like any other
    perMessageDeflate: false, // costs memory per socket, and a small bomb would unpack into a large one
    handleProtocols: (protocols) => handleProtocols(protocols),
  });
  const peers = new Set<Peer>();
  const core = makeServer<ConnectionParams, Extra>({
    connectionInitWaitTimeout: CONNECTION_INIT_MS,
    onConnect: (context) => admit(deps, context),
    onSubscribe: (context, _id, payload) => prepare(deps, context, payload),
    execute: (args) => operationOf(args).execute(args),
    subscribe: (args) => operationOf(args).subscribe(args),
    onNext: (_context, _id, _payload, args, result) =>
      result.errors === undefined
        ? undefined // as it is
        : formattedResult(result, errorContextOf(deps, operationOf(args).requestId)),
    onError: (_context, _id, _payload, errors) =>
      errors.map((error) => formattedJson(error, errorContextOf(deps, randomUUID()))),
    onClose: ({ extra }) => extra.leave(),
  });

  const welcome = (socket: WebSocket, request: IncomingMessage, clientPage: boolean) => {
    const peer = new Peer(socket, deps.services.logger);
    peers.add(peer);
    const closed = core.opened(peer, {
      peer,
      request: requestInfoOf(request, 'WS', deps.clientAddress),
      clientPage,
      viewer: null,
      leave: () => undefined,
    });
    socket.once('close', (code, reason) => {
      peers.delete(peer);
      closed(code, String(reason)).catch((error: unknown) =>
        deps.services.logger.error({ err: error, connectionId: peer.id }, 'socket.close.failed'),
      );
    });
  };
  const eachPeer = (act: (peer: Peer) => void) => {
    for (const peer of peers) act(peer);
  };
  const timers = [
    setInterval(() => eachPeer((peer) => peer.ping()), PING_EVERY_MS),
    setInterval(() => eachPeer((peer) => peer.checkProgress()), PROGRESS_EVERY_MS),
  ];
  return {
    upgrade: (request, socket, head, { clientPage } = { clientPage: false }) =>
      sockets.handleUpgrade(request, socket, head, (opened) => welcome(opened, request, clientPage)),
    get connectionCount() {
      return peers.size;
    },
    stop: () => {
      for (const timer of timers) clearInterval(timer);
      for (const peer of peers) peer.closeWith(CLOSE_CODES.GOING_AWAY);
    },
  };
}

/** Lets a connection in whose key is valid; false closes it with 4403. */
async function admit(deps: SocketDeps, { connectionParams, extra }: SocketContext): Promise<boolean> {
  const text = connectionParams?.key ?? connectionParams?.token;
  // Never the cookie, which the browser would send along for any page that opens a socket.
  let viewer: Viewer | null;
  try {
    viewer =
      typeof text === 'string'
        ? await deps.authenticate({ kind: 'BEARER', text }, extra.request.address)
        : null;
  } catch (error) {
    if (!(error instanceof RateLimitedError)) throw error;
    // The reason is all that a client sees: it has the code and the seconds.
    extra.peer.close(
      CLOSE_CODES.TRY_AGAIN_LATER.code,
      `${error.code}: try again in ${error.retryAfterSeconds} s`,
    );
    return false;
  }
  // Who left meanwhile will not be seen leaving any more, and would keep the place below for ever.
  if (viewer === null || !extra.peer.isOpen || !mayCallFrom(viewer, extra.request.origin)) return false;
  if (extra.clientPage && viewer.kind !== 'CLIENT') return false;
  const leave = deps.connections.add({
    viewer,
    cutOff: (reason) =>
      extra.peer.closeWith(reason === 'EXPIRED' ? CLOSE_CODES.TOKEN_EXPIRED : CLOSE_CODES.FORBIDDEN),
  });
  if (leave === null) {
    extra.peer.closeWith(CLOSE_CODES.TRY_AGAIN_LATER);
    return false;
  }
  extra.viewer = viewer;
  extra.leave = leave;
  return true;
}

/** Reads and checks the document of an operation. Whatever is wrong with it is an error of this operation alone. */
async function prepare(
  deps: SocketDeps,
  context: SocketContext,
  payload: SubscribePayload,
): Promise<Operation | readonly GraphQLError[]> {
  const { viewer, peer, request } = context.extra;
  if (viewer === null) return [graphqlError('Send connection_init first.', 'UNAUTHENTICATED')];
  // The one being prepared is among them already.
  if (Object.keys(context.subscriptions).length > OPERATIONS_PER_SOCKET_MAX) {
    const sentence = `At most ${OPERATIONS_PER_SOCKET_MAX} operations may be under way on one connection.`;
    return [graphqlError(sentence, 'TOO_MANY_OPERATIONS')];
  }
  const requestId = randomUUID();
  const pledge = new Pledge(
    { deposits: deps.deposits, rules: deps.costRules },
    { viewer, address: request.address },
  );
  const { schema, parse, validate, execute, subscribe, contextFactory } = deps.graphql.getEnveloped({
    viewer,
    info: request,
    cookies: null,
    requestId,
    connectionId: peer.id,
    pledge,
  });
  try {
    pledge.give();
    // The protocol lets other words through beside its own.
    const { documentId } = payload as { readonly documentId?: unknown };
    const { query, extensions } = payload;
    const chosen = { viewer, query, documentId, extensions };
    const document = parse(await chooseDocument(deps.services, deps, chosen));
    const problems = validate(schema, document);
    if (problems.length > 0) {
      await pledge.redeem();
      return problems;
    }
    return {
      schema,
      document,
      operationName: payload.operationName,
      variableValues: payload.variables,
      contextValue: await contextFactory(),
      requestId,
      execute,
      subscribe,
    };
  } catch (error) {
    // The parser and its token limit throw.
    if (!(error instanceof RateLimitedError)) await pledge.redeem();
    return [formatError(error, errorContextOf(deps, requestId))];
  }
}

/** graphql-ws hands back what `prepare` gave it. */
function operationOf(args: ExecutionArgs): Operation {
  return args as Operation; // every operation comes from `prepare`
}

function errorContextOf(deps: SocketDeps, requestId: string): ErrorContext {
  return { requestId, development: deps.development, logger: deps.services.logger };
}

function formattedResult(
  { data, errors = [], extensions }: ProtocolResult,
  context: ErrorContext,
): FormattedExecutionResult {
  return {
    errors: errors.map((error) => formattedJson(error, context)),
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
  };
}

function formattedJson(error: unknown, context: ErrorContext): GraphQLFormattedError {
  return errorJson(formatError(error, context));
}
