import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Registry } from 'prom-client';
import { ensureAccessKeys } from '../auth/access-keys.ts';
import type { EventBus } from '../bus/port.ts';
import type { PipelineHealth, Services } from '../context.ts';
import type { Database } from '../db/connect.ts';
import { UserError } from '../errors/errors.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { LiveHub } from '../live/channel-feed.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import type { Vault } from '../privacy/vault.ts';
import { schema } from '../schema/index.ts';
import { createGraphqlServer, GRAPHQL_PATH } from './graphql.ts';
import { CONNECTIONS_MAX, DRAIN_MS } from './limits.ts';
import { LiveConnections } from './live-connections.ts';
import { isAllowedOrigin } from './origin.ts';
import { loadOverlayFiles } from './overlay-files.ts';
import { type RouterDeps, route } from './router.ts';
import { createSecurityHeaders } from './security-headers.ts';
import { createSocketServer, type SocketServer } from './web-socket.ts';

export interface ApiDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly jobs: JobQueue;
  readonly masterKey: MasterKey;
  readonly health: PipelineHealth;
}

export interface ApiOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where clients reach us; null: where we listen. */
  readonly publicUrl: string | null;
  /** Shows stacks in errors, and the schema to every key. */
  readonly development: boolean;
  /** Pages of other origins that may use the API, like `https://example.org`. */
  readonly allowedOrigins: readonly string[];
  /** Opens /metrics to a monitoring system, besides the operator's key. */
  readonly metricsToken?: string | null;
  /** Where the overlay's files are. */
  readonly overlayDirectory: string;
}

export interface Api {
  /** Where we listen, without a slash at the end. */
  readonly url: string;
  /** Drains for up to 3 s: not ready any more, sockets closed with 1001, requests under way finished. */
  stop(): Promise<void>;
}

/** Another program listens on our port, or the address is not ours. */
export class ListenError extends UserError {
  override readonly name = 'ListenError';
  readonly code = 'LISTEN_FAILED';
}

/**
 * Starts the API process: GraphQL over HTTP, server-sent events and WebSocket, the overlay's files, health and metrics.
 * Makes sure that the access keys of this master key are the valid ones.
 * @throws ListenError when the port is taken or the address cannot be used
 */
export async function startApi(deps: ApiDeps, options: ApiOptions): Promise<Api> {
  await ensureAccessKeys(deps);
  const overlayFiles = await loadOverlayFiles(options.overlayDirectory);
  const logger = deps.logger.child({ module: 'api' });
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    // Node looks every 30 s by default, which would let a sender of one header at a time keep its place for 40.
    connectionsCheckingInterval: 2_000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, options);
  const url = listeningUrl(server, options.host);
  const publicUrl = (options.publicUrl ?? url).replace(/\/+$/, '');

  const live = new LiveHub({ bus: deps.bus, logger, registry: deps.registry });
  const services: Services = { ...deps, logger, live, publicUrl };
  const connections = new LiveConnections({ db: deps.db, bus: deps.bus, logger });
  await connections.start();
  const { development } = options;
  const graphql = createGraphqlServer(services, { schema, development });
  const sockets = createSocketServer({ services, graphql, connections, development });
  const state = { stopping: false };
  const router: RouterDeps = {
    services,
    registry: deps.registry,
    graphql,
    connections,
    headers: createSecurityHeaders({ https: publicUrl.startsWith('https:') }),
    overlayFiles,
    allowedOrigins: new Set(options.allowedOrigins),
    metricsToken: options.metricsToken ?? null,
    state,
  };
  server.on('request', (request, response) => void route(router, request, response));
  acceptUpgrades(server, sockets, router);
  logger.info({ url }, 'api.started');
  return {
    url,
    stop: async () => {
      state.stopping = true;
      sockets.stop();
      await live.stop();
      await connections.stop();
      await drain(server);
      logger.info('api.stopped');
    },
  };
}

function acceptUpgrades(server: Server, sockets: SocketServer, router: RouterDeps): void {
  server.on('upgrade', (request, socket, head) => {
    const path = (request.url ?? '').split('?', 1)[0];
    const status = router.state.stopping
      ? '503 Service Unavailable'
      : path !== GRAPHQL_PATH
        ? '404 Not Found'
        : isAllowedOrigin(request, router.allowedOrigins)
          ? null
          : '403 Forbidden';
    if (status === null) sockets.upgrade(request, socket, head);
    else refuseUpgrade(socket, status);
  });
}

/**
 * Node takes its own listeners off a connection that asks to be upgraded: without one of ours a peer that resets it would end the
 * process, and one that never closes its half would keep its place for ever.
 */
function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function listen(server: Server, { host, port }: ApiOptions): Promise<void> {
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

function listeningUrl(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  // Listening on every address, we are reached on this machine by the loopback one.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
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
