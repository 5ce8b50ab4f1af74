import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { CONNECTIONS_MAX, DRAIN_MS } from './limits.ts';
import { keepTlsFresh, readTlsPair, type TlsOptions, warnOfEnd } from './tls.ts';

/** How long a peer may take to agree on TLS, in milliseconds: as long as for its headers. */
const HANDSHAKE_MS = 10_000;

const SERVER_OPTIONS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Node looks every 30 s by default, which would let a sender of one header at a time keep its place for 40.
  connectionsCheckingInterval: 2_000,
} as const satisfies ServerOptions;

/** Where to listen, and how. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Null: in the clear. */
  readonly tls: TlsOptions | null;
}

/** A server that listens. */
export interface Listener {
  readonly server: Server;
  /** Where, without a slash at the end. */
  readonly url: string;
  /** Answers what has come since we listen, and what comes from now on. To be called once. */
  serve(answer: RequestListener): void;
  /** Takes no new connections, lets requests under way finish for up to 3 s, then cuts what is left. */
  stop(): Promise<void>;
}

/** Another program listens on our port, or the address is not ours. */
export class ListenError extends UserError {
  override readonly name = 'ListenError';
  readonly code = 'LISTEN_FAILED';
}

/**
 * Listens for HTTP, or for HTTPS with TLS 1.3 only when `tls` is given.
 * @throws ListenError when the port is taken or the address cannot be used
 * @throws TlsFilesError when the certificate or its key cannot be used
 */
export async function startListener(
  options: ListenOptions,
  deps: { readonly logger: Logger; readonly clock: Clock },
): Promise<Listener> {
  const { server, release } =
    options.tls === null
      ? { server: createServer(SERVER_OPTIONS), release: () => undefined }
      : await createSecureServer(options.tls, deps);
  server.maxConnections = CONNECTIONS_MAX;
  const serve = holdRequests(server);
  await listen(server, options);
  return {
    server,
    url: listeningUrl(server, options),
    serve,
    stop: async () => {
      release();
      await drain(server);
    },
  };
}

/** A request that comes while we are getting ready waits for that: one that nobody listens to would never be answered. */
function holdRequests(server: Server): Listener['serve'] {
  const ready = Promise.withResolvers<RequestListener>();
  const hold: RequestListener = (request, response) =>
    void ready.promise.then((answer) => answer(request, response));
  server.on('request', hold);
  return (answer) => {
    server.off('request', hold);
    server.on('request', answer);
    ready.resolve(answer);
  };
}

async function createSecureServer(
  tls: TlsOptions,
  deps: { readonly logger: Logger; readonly clock: Clock },
): Promise<{ readonly server: Server; readonly release: () => void }> {
  const pair = await readTlsPair(tls);
  warnOfEnd(pair, deps);
  const server = createTlsServer({ ...SERVER_OPTIONS, ...pair, handshakeTimeout: HANDSHAKE_MS });
  // Whoever speaks no TLS 1.3 is turned away by it; that is daily noise from the network.
  server.on('tlsClientError', (error) => deps.logger.debug({ err: error }, 'tls.peer_refused'));
  return { server, release: keepTlsFresh(server, tls, deps) };
}

function listen(server: Server, { host, port }: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
  server.listen({ host, port }, () => resolve());
  return promise;
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new ListenError(
        `Another program listens on ${where}: stop it, or set TALLYLIGHT_PORT to a free port.`,
        {
          cause: error,
        },
      );
    case 'EACCES':
      return new ListenError(`We may not listen on ${where}: set TALLYLIGHT_PORT to a port above 1023.`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ListenError(`${host} is not an address of this machine: correct TALLYLIGHT_HOST.`, {
        cause: error,
      });
    default:
      return error;
  }
}

function listeningUrl(server: Server, { host, tls }: ListenOptions): string {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  // Listening on every address, we are reached on this machine by the loopback one.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${tls === null ? 'http' : 'https'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Lets requests under way finish, for as long as stopping may take; then cuts what is left. */
async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await Promise.race([closed, sleep(DRAIN_MS, undefined, { ref: false })]);
  clearInterval(idle);
  server.closeAllConnections();
  await closed;
}
