import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Kysely } from 'kysely';
import type { Registry } from 'prom-client';
import { startAuditLog } from '../audit/log.ts';
import { reuseNote } from '../audit/notes.ts';
import { ensureAccessKeys } from '../auth/access-keys.ts';
import type { ExternalSettings } from '../auth/external/settings.ts';
import { createExternalProviders } from '../auth/external/settings.ts';
import { createPasswordHasher } from '../auth/passwords/password-hasher.ts';
import { createPasswordStrength } from '../auth/passwords/password-strength.ts';
import type { SessionOptions } from '../auth/sessions/create-session-store.ts';
import type { EventBus } from '../bus/port.ts';
import { type FirstPartyOperations, RegisteredOperations } from '../clients/registered-operations.ts';
import { ClientUsage } from '../clients/usage.ts';
import type { PipelineHealth, Services } from '../context.ts';
import type { Database } from '../db/connect.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import type { Limiter } from '../limits/limiter.ts';
import { LiveHub } from '../live/channel-feed.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import type { Vault } from '../privacy/vault.ts';
import { schema } from '../schema/index.ts';
import { AddressPlaces, limitConnections } from './address-places.ts';
import { createAuthenticate } from './authenticate.ts';
import { createClientAddress, createProxyTrust } from './client-address.ts';
import { ClientOrigins } from './client-origin.ts';
import { type CostRules, costRulesOf } from './cost-bucket.ts';
import { createDocumentCheck } from './document-check.ts';
import type { FreeForm } from './document-choice.ts';
import { loadErrorPage } from './error-page.ts';
import { loadFirstParty } from './first-party-operations.ts';
import { createGraphqlServer, GRAPHQL_PATH, type GraphqlOptions } from './graphql.ts';
import { createIdentity } from './identity.ts';
import { startIdentitySweep } from './identity-sweep.ts';
import {
  CONNECTIONS_PER_ADDRESS_MAX,
  COST_POINTS,
  COST_POINTS_PER_SECOND,
  OPERATION_DEADLINE_MS,
} from './limits.ts';
import { startListener } from './listener.ts';
import { LiveConnections } from './live-connections.ts';
import { isAllowedOrigin } from './origin.ts';
import { loadOverlayFiles } from './overlay-files.ts';
import { createReadiness } from './readiness.ts';
import { type RouterDeps, route } from './router.ts';
import { createSecurityHeaders } from './security-headers.ts';
import type { TlsOptions } from './tls.ts';
import { warmUp } from './warm-up.ts';
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
  readonly limiter: Limiter;
}

export interface ApiOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The certificate to speak TLS with; none: in the clear. */
  readonly tls?: TlsOptions | null;
  /** Where clients reach us; null: where we listen. */
  readonly publicUrl: string | null;
  /** Shows stacks in errors, and the schema to every key. */
  readonly development: boolean;
  /** Pages of other origins that may use the API, like `https://example.org`. */
  readonly allowedOrigins: readonly string[];
  /** Opens /metrics to a monitoring system, besides the operator's key. */
  readonly metricsToken?: string | null;
  /** Sign-in sessions; left out: a week without use, a month at all. */
  readonly session?: SessionOptions;
  /** Who else may say who somebody is; left out: nobody. */
  readonly external?: ExternalSettings;
  /** Left out: the defaults of limits.ts. */
  readonly costRules?: CostRules;
  /** How long an operation may run, in milliseconds; left out: 10 s. */
  readonly operationDeadlineMs?: number;
  /** Addresses and networks of the proxies before us, whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[];
  /** Takes queries by GET, and shows the schema: for conformance suites, never in production. */
  readonly conformance?: { readonly get: boolean; readonly introspection: boolean };
  /** Who may write documents of their own; left out: `trusted`. */
  readonly freeForm?: FreeForm;
  /** Where the overlay's files are; what it may run is in `operations`. */
  readonly overlayDirectory: string;
  /** Where the console's files are; left out: there is no console. */
  readonly consoleDirectory?: string;
  /** What our own pages run; left out: what is in their folders. */
  readonly firstParty?: FirstPartyOperations;
}

export interface Api {
  /** Where we listen, without a slash at the end. */
  readonly url: string;
  /** Drains for up to 3 s: not ready any more, sockets closed with 1001, requests under way finished. */
  stop(): Promise<void>;
}

/**
 * Starts the API process: GraphQL over HTTP, server-sent events and WebSocket, the overlay's files, health and metrics.
 * Makes sure that the access keys of this master key are the valid ones.
 * @throws ListenError when the port is taken or the address cannot be used
 * @throws TlsFilesError when the certificate or its key cannot be used
 */
export async function startApi(deps: ApiDeps, options: ApiOptions): Promise<Api> {
  await ensureAccessKeys(deps);
  const overlayFiles = await loadOverlayFiles(options.overlayDirectory);
  const logger = deps.logger.child({ module: 'api' });
  const { host, port, tls = null } = options;
  const listener = await startListener({ host, port, tls }, { logger, clock: deps.clock });
  const { server, url } = listener;
  limitConnections(server, {
    places: new AddressPlaces(CONNECTIONS_PER_ADDRESS_MAX),
    isTrustedProxy: createProxyTrust(options.trustedProxies ?? []),
  });
  const publicUrl = (options.publicUrl ?? url).replace(/\/+$/, '');

  const live = new LiveHub({ bus: deps.bus, logger, registry: deps.registry });
  const audit = await startAuditLog({ ...deps, logger });
  const identity = await createIdentity(
    {
      ...deps,
      onReuse: async (report) => {
        logger.warn({ familyId: report.familyId }, 'token.reused');
        await audit.record(reuseNote(report));
      },
    },
    { session: options.session, publicUrl },
  );
  const { access } = identity;
  const firstParty = options.firstParty ?? (await loadFirstParty(options));
  const operations = new RegisteredOperations(deps, firstParty);
  await operations.start();
  const clientUsage = new ClientUsage({ ...deps, logger });
  const checkDocument = createDocumentCheck(schema);
  const clients = { operations, clientUsage, checkDocument };
  const passwordStrength = createPasswordStrength();
  const passwords = createPasswordHasher(deps.masterKey);
  const externalProviders = createExternalProviders(options.external ?? { clerk: null, oidc: [] }, deps);
  const services: Services = {
    ...deps,
    ...identity,
    ...clients,
    audit,
    passwords,
    passwordStrength,
    externalProviders,
    logger,
    live,
    publicUrl,
  };
  const stopSweeping = startIdentitySweep(services);
  const connections = new LiveConnections(services);
  await connections.start();
  const { development, freeForm = 'trusted' } = options;
  const deposits = new Deposits(deps);
  const authenticate = createAuthenticate({ access, deposits });
  const costRules = options.costRules ?? costRulesOf(COST_POINTS, COST_POINTS_PER_SECOND);
  const { get, introspection } = options.conformance ?? { get: false, introspection: development };
  const graphqlOptions: GraphqlOptions = {
    schema,
    development,
    freeForm,
    introspection: introspection || development,
    get,
    costRules,
    deposits,
    deadlineMs: options.operationDeadlineMs ?? OPERATION_DEADLINE_MS,
  };
  const graphql = createGraphqlServer(services, graphqlOptions);
  await warmUp(services, graphqlOptions, firstParty);
  const clientAddress = createClientAddress(options.trustedProxies ?? []);
  const places = new AddressPlaces(CONNECTIONS_PER_ADDRESS_MAX);
  const sockets = createSocketServer({
    services,
    graphql,
    connections,
    development,
    freeForm,
    clientAddress,
    authenticate,
    deposits,
    costRules,
  });
  const state = { stopping: false };
  const router: RouterDeps = {
    services,
    registry: deps.registry,
    graphql,
    connections,
    headers: createSecurityHeaders({ https: tls !== null || publicUrl.startsWith('https:') }),
    overlayFiles,
    errorPage: loadErrorPage(),
    allowedOrigins: new Set(options.allowedOrigins),
    clientAddress,
    places,
    get,
    clientOrigins: new ClientOrigins({ ...deps, deposits }),
    authenticate,
    deposits,
    costRules,
    metricsToken: options.metricsToken ?? null,
    readiness: createReadiness(services, state),
    state,
  };
  listener.serve((request, response) => void route(router, request, response));
  acceptUpgrades(server, sockets, router);
  logger.info({ url }, 'api.started');
  return {
    url,
    stop: async () => {
      state.stopping = true;
      sockets.stop();
      await live.stop();
      await connections.stop();
      await passwordStrength.stop();
      await operations.stop();
      await access.stop();
      await stopSweeping();
      await listener.stop();
      await clientUsage.stop();
      await audit.stop();
      logger.info('api.stopped');
    },
  };
}

function acceptUpgrades(server: Server, sockets: SocketServer, router: RouterDeps): void {
  server.on('upgrade', (request, socket, head) => {
    const status = upgradeRefusal(request, router);
    if (status !== null) return refuseUpgrade(socket, status);
    const free = router.places.take(router.clientAddress(request));
    if (free === null) return refuseUpgrade(socket, '429 Too Many Requests');
    socket.once('close', free);
    if (isAllowedOrigin(request, router.allowedOrigins)) return sockets.upgrade(request, socket, head);
    upgradeClientPage({ sockets, router }, request, socket, head).catch((error: unknown) => {
      if (error instanceof RateLimitedError) return refuseUpgrade(socket, '429 Too Many Requests', error);
      router.services.logger.warn({ err: error }, 'socket.origin.failed');
      refuseUpgrade(socket, '503 Service Unavailable');
    });
  });
}

/** Why a connection may not become a WebSocket; null when it may. */
function upgradeRefusal(request: IncomingMessage, router: RouterDeps): string | null {
  if (router.state.stopping) return '503 Service Unavailable';
  if ((request.url ?? '').split('?', 1)[0] !== GRAPHQL_PATH) return '404 Not Found';
  return null;
}

/** A page that is not ours may be of a client that allows it: whose it is, its key will say. */
async function upgradeClientPage(
  { sockets, router }: { readonly sockets: SocketServer; readonly router: RouterDeps },
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const reset = () => socket.destroy();
  socket.on('error', reset);
  const { origin } = request.headers;
  const allowed =
    origin !== undefined && (await router.clientOrigins.allows(origin, router.clientAddress(request)));
  socket.off('error', reset);
  if (!allowed) refuseUpgrade(socket, '403 Forbidden');
  else if (!socket.destroyed) sockets.upgrade(request, socket, head, { clientPage: true });
}

/**
 * Node takes its own listeners off a connection that asks to be upgraded: without one of ours a peer that resets it would end the
 * process, and one that never closes its half would keep its place for ever.
 */
function refuseUpgrade(socket: Duplex, status: string, limited?: RateLimitedError): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const retry = limited === undefined ? '' : `Retry-After: ${limited.retryAfterSeconds}\r\n`;
  socket.end(`HTTP/1.1 ${status}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}
