import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { ANONYMOUS, type Viewer } from '../auth/viewer.ts';
import type { Services } from '../context.ts';
import { sha256 } from '../lib/sha256.ts';
import type { Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import type { AddressPlaces } from './address-places.ts';
import type { Authenticate } from './authenticate.ts';
import { CLERK_WEBHOOK_PATH, serveClerkWebhook } from './clerk-webhook.ts';
import type { ClientAddress } from './client-address.ts';
import { type ClientOrigins, mayCallFrom } from './client-origin.ts';
import { cookiesOf, readCookie } from './cookies.ts';
import type { CostRules } from './cost-bucket.ts';
import { isUnavailable, UNAVAILABLE_MESSAGE } from './error-format.ts';
import { ERROR_PAGE_PATH } from './error-page.ts';
import { answer, type Exchange, refuse } from './exchange.ts';
import { GRAPHQL_PATH, type GraphqlServer } from './graphql.ts';
import type { LiveConnections } from './live-connections.ts';
import { OIDC_PREFIX, serveOidc } from './oidc-routes.ts';
import { isAllowedOrigin } from './origin.ts';
import { type OverlayFiles, serveOverlayFile } from './overlay-files.ts';
import { Pledge } from './pledge.ts';
import type { Readiness } from './readiness.ts';
import { requestInfoOf } from './request-info.ts';
import type { SecurityHeaders } from './security-headers.ts';

export interface RouterDeps {
  readonly services: Services;
  readonly registry: Registry;
  readonly graphql: GraphqlServer;
  readonly connections: LiveConnections;
  readonly headers: SecurityHeaders;
  readonly overlayFiles: OverlayFiles;
  /** What the codes of errors mean, as HTML. */
  readonly errorPage: string;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly clientAddress: ClientAddress;
  readonly places: AddressPlaces;
  /** Takes queries by GET as well. */
  readonly get: boolean;
  readonly clientOrigins: ClientOrigins;
  readonly authenticate: Authenticate;
  readonly deposits: Deposits;
  readonly costRules: CostRules;
  readonly metricsToken: string | null;
  readonly readiness: () => Promise<Readiness>;
  /** Turns true when the server begins to stop. */
  readonly state: { readonly stopping: boolean };
}

/** For how long others may keep the published keys, in seconds: much less than a key waits before it signs. */
const SIGNING_KEYS_AGE_SECONDS = 60;

/** Requests without an Authorization header carry it, whatever its value: pages of other origins cannot. */
const CSRF_HEADER = 'x-tallylight-csrf';

const EXPOSED_HEADERS = 'x-request-id, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after';

const OVERLAY_PREFIX = '/overlay/';

/** How long a request may still take to be answered once its credential has ended, in milliseconds. */
const LAST_WORD_MS = 2_000;

/** Answers one HTTP request. Never rejects. */
export async function route(
  deps: RouterDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = randomUUID();
  response.setHeader('x-request-id', requestId);
  // Only the path is wanted, and it is only compared: nothing in it is decoded.
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const exchange = { request, response, requestId, path };
  (path.startsWith(OVERLAY_PREFIX) ? deps.headers.overlay : deps.headers.data)(request, response);
  try {
    await dispatch(deps, exchange);
  } catch (error) {
    fail(deps, exchange, error);
  }
}

function fail({ services }: RouterDeps, exchange: Exchange, error: unknown): void {
  const { requestId, response } = exchange;
  if (error instanceof RateLimitedError && !response.headersSent) {
    refuseTooMuch(exchange, error);
    return;
  }
  const away = isUnavailable(error);
  if (away) services.logger.warn({ requestId, err: error }, 'request.dependency.failed');
  else services.logger.error({ requestId, err: error }, 'request.failed');
  if (response.headersSent) response.destroy();
  else if (away) refuse(exchange, 503, 'UNAVAILABLE', UNAVAILABLE_MESSAGE);
  else refuse(exchange, 500, 'INTERNAL', 'Unexpected error.');
}

function dispatch(deps: RouterDeps, exchange: Exchange): Promise<void> | void {
  const { path, request, response } = exchange;
  if (path === GRAPHQL_PATH) return serveGraphql(deps, exchange);
  if (path === CLERK_WEBHOOK_PATH) return serveClerkWebhook(deps, exchange);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(exchange, 405, 'METHOD_NOT_ALLOWED', 'Only GET and HEAD.');
  }
  if (path.startsWith(OVERLAY_PREFIX)) {
    return serveOverlayFile(deps.overlayFiles, path.slice(OVERLAY_PREFIX.length), request, response);
  }
  if (path.startsWith(OIDC_PREFIX)) return serveOidc(deps, exchange);
  switch (path) {
    case '/healthz':
      // The local bootstrap page of an overlay, which has no origin, looks here whether we are up.
      response.setHeader('cross-origin-resource-policy', 'cross-origin');
      return answer(exchange, 200, { status: 'ok' });
    case '/readyz':
      return serveReadiness(deps, exchange);
    case '/metrics':
      return serveMetrics(deps, exchange);
    case '/.well-known/jwks.json':
      return serveSigningKeys(deps, exchange);
    case ERROR_PAGE_PATH:
      return servePage(exchange, deps.errorPage);
    case '/overlay':
      response.writeHead(308, { location: OVERLAY_PREFIX }).end();
      return undefined;
    default:
      return refuse(exchange, 404, 'NOT_FOUND', 'There is nothing here.');
  }
}

async function serveReadiness(deps: RouterDeps, exchange: Exchange): Promise<void> {
  const { ready, parts } = await deps.readiness();
  answer(exchange, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', parts });
}

/** The public halves of the keys that sign access tokens (RFC 7517), the next one among them. */
async function serveSigningKeys({ services }: RouterDeps, exchange: Exchange): Promise<void> {
  const { response } = exchange;
  response.setHeader('cache-control', `public, max-age=${SIGNING_KEYS_AGE_SECONDS}`);
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('cross-origin-resource-policy', 'cross-origin');
  answer(exchange, 200, await services.tokens.published());
}

async function serveMetrics(deps: RouterDeps, exchange: Exchange): Promise<void> {
  if (!(await mayReadMetrics(deps, exchange.request))) return refuseUnknown(exchange);
  const { response, request } = exchange;
  const text = await deps.registry.metrics();
  response.writeHead(200, { 'content-type': deps.registry.contentType, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : text);
}

async function serveGraphql(deps: RouterDeps, exchange: Exchange): Promise<void> {
  const { request, response, requestId } = exchange;
  response.setHeader('cache-control', 'no-store');
  const { origin } = request.headers;
  const isOurs = isAllowedOrigin(request, deps.allowedOrigins);
  const ofClient =
    !isOurs && origin !== undefined && (await deps.clientOrigins.allows(origin, deps.clientAddress(request)));
  if (!isOurs && !ofClient) return refuseOrigin(exchange);
  allowCrossOrigin(deps, request, response, ofClient);
  if (request.method === 'OPTIONS') {
    response.writeHead(204).end();
    return;
  }
  if (request.method !== 'POST' && !(deps.get && request.method === 'GET')) {
    response.setHeader('allow', 'POST, OPTIONS');
    return refuse(exchange, 405, 'METHOD_NOT_ALLOWED', 'GraphQL requests are sent by POST.');
  }
  // A browser adds a cookie to what any page sends; a header of this name it sends for no page without asking us first.
  if (request.headers.authorization === undefined && request.headers[CSRF_HEADER] === undefined) {
    const sentence = `Send the header ${CSRF_HEADER}, with any value, or an Authorization header.`;
    return refuse(exchange, 403, 'CSRF_HEADER_MISSING', sentence);
  }
  const free = deps.places.take(deps.clientAddress(request));
  if (free === null) {
    return refuse(exchange, 429, 'TOO_MANY_CONNECTIONS', 'Too many connections are open from this address.');
  }
  response.once('close', free);
  const viewer = await authenticated(deps, request);
  if (viewer === null) return refuseUnknown(exchange);
  // A page that only a client allows may come as this client alone.
  if ((ofClient && viewer.kind !== 'CLIENT') || !mayCallFrom(viewer, origin ?? null)) {
    return refuseOrigin(exchange);
  }
  // Who left meanwhile will not be seen leaving any more, and would keep the place below for ever.
  if (response.destroyed) return;
  // Any of them may turn out to be an event stream, which is cut off once the key is no longer valid.
  if (viewer.kind !== 'ANONYMOUS') {
    const leave = deps.connections.add({ viewer, cutOff: () => cutOff(response) });
    if (leave === null) {
      return refuse(exchange, 429, 'TOO_MANY_CONNECTIONS', 'You have too many connections open.');
    }
    response.once('close', leave);
  }
  const address = deps.clientAddress(request);
  const pledge = new Pledge({ deposits: deps.deposits, rules: deps.costRules }, { viewer, address });
  // Who could not pay for a document that is wrong is not read.
  pledge.check();
  const whenGone = (end: () => void) => (response.destroyed ? end() : void response.once('close', end));
  await deps.graphql.handle(request, response, {
    viewer,
    requestId,
    connectionId: requestId,
    info: requestInfoOf(request, 'HTTP', deps.clientAddress),
    // Who comes with a key or a token is no browser that signs in: a client's page must not put another session into one.
    cookies: request.headers.authorization === undefined ? cookiesOf(request, response) : null,
    pledge,
    whenGone,
    setHeader: (name, value) => void (response.headersSent || response.setHeader(name, value)),
  });
}

/** Lets pages of the allowed origins, and no others, read our answers: with cookies, where they are ours or trusted. A client has a key. */
function allowCrossOrigin(
  deps: RouterDeps,
  request: IncomingMessage,
  response: ServerResponse,
  ofClient: boolean,
): void {
  response.setHeader('vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined || !(ofClient || deps.allowedOrigins.has(origin))) return;
  response.setHeader('access-control-allow-origin', origin);
  if (!ofClient) response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-expose-headers', EXPOSED_HEADERS);
  if (request.method !== 'OPTIONS') return;
  response.setHeader('access-control-allow-methods', 'POST');
  response.setHeader('access-control-allow-headers', `authorization, content-type, accept, ${CSRF_HEADER}`);
  response.setHeader('access-control-max-age', '600');
}

async function mayReadMetrics(deps: RouterDeps, request: IncomingMessage): Promise<boolean> {
  const token = bearerToken(request);
  if (token === null) return false;
  if (deps.metricsToken !== null && sameText(token, deps.metricsToken)) return true;
  const viewer = await deps.authenticate({ kind: 'BEARER', text: token }, deps.clientAddress(request));
  return viewer?.kind === 'OPERATOR';
}

/**
 * Ends an answer whose credential opens nothing any more: a stream at once. One that has not begun may be telling that it was
 * this very request which ended the credential; it gets a moment for that, in which a stream could hardly say anything.
 */
function cutOff(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else setTimeout(() => response.writableEnded || response.destroy(), LAST_WORD_MS).unref();
}

/** Who asks. Null when what they sent opens nothing; without anything they are nobody in particular. */
async function authenticated(deps: RouterDeps, request: IncomingMessage): Promise<Viewer | null> {
  if (request.headers.authorization !== undefined) {
    const text = bearerToken(request);
    return text === null ? null : deps.authenticate({ kind: 'BEARER', text }, deps.clientAddress(request));
  }
  const token = readCookie(request.headers.cookie, '__Host-tl_session');
  if (token === null) return ANONYMOUS;
  // An ended session leaves its cookie behind: who has it may sign in again.
  return (await deps.authenticate({ kind: 'COOKIE', token }, deps.clientAddress(request))) ?? ANONYMOUS;
}

function bearerToken(request: IncomingMessage): string | null {
  return /^Bearer ([\x21-\x7e]{1,2000})$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

/** Compares in a time that does not depend on where the texts differ. */
function sameText(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function refuseOrigin(exchange: Exchange): void {
  refuse(exchange, 403, 'FORBIDDEN', 'Pages of this origin may not use the API.');
}

function refuseUnknown(exchange: Exchange): void {
  exchange.response.setHeader('www-authenticate', 'Bearer realm="tallylight"');
  refuse(exchange, 401, 'UNAUTHENTICATED', 'Send a valid key: Authorization: Bearer <key>.');
}

function refuseTooMuch(exchange: Exchange, { code, message, retryAfterSeconds }: RateLimitedError): void {
  exchange.response.setHeader('retry-after', String(retryAfterSeconds));
  refuse(exchange, 429, code, message, { retryAfterSeconds });
}

function servePage({ request, response }: Exchange, html: string): void {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'max-age=3600' });
  response.end(request.method === 'HEAD' ? undefined : html);
}
