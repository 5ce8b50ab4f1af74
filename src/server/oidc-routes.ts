import type { AuditResult } from '../audit/entry.ts';
import type { AuditNote } from '../audit/log.ts';
import { failureOf } from '../audit/mutation.ts';
import { accountOpenedNote } from '../audit/notes.ts';
import { takeRequest } from '../auth/accounts/account-limits.ts';
import { KNOWN_DEVICE_SECONDS } from '../auth/accounts/known-device.ts';
import { ExternalProviderUnknownError, ExternalSignInRefusedError } from '../auth/external/errors.ts';
import { linkIdentity } from '../auth/external/link.ts';
import {
  beginFlow,
  FLOW_SECONDS,
  type FlowHolder,
  finishFlow,
  type OidcFlow,
  resumeFlow,
} from '../auth/external/oidc/flow.ts';
import { parseReturnPath } from '../auth/external/return-path.ts';
import { signInExternally } from '../auth/external/sign-in.ts';
import type { Cookies, RequestInfo, Services } from '../context.ts';
import { UserError } from '../errors/errors.ts';
import { RateLimitedError } from '../limits/errors.ts';
import type { ClientAddress } from './client-address.ts';
import { cookiesOf } from './cookies.ts';
import { type Exchange, refuse } from './exchange.ts';
import { requestInfoOf } from './request-info.ts';

/** Below it: `/<name>/start` and `/<name>/callback` for each provider of OpenID Connect. */
export const OIDC_PREFIX = '/auth/oidc/';

const ROUTE = /^([a-z0-9-]{1,32})\/(start|callback)$/;

/** What a page that somebody comes back to finds behind `#`: `signIn=done`, `signIn=linked`, or `signIn=` and a code of errors.md. */
const OUTCOME = 'signIn';

interface OidcRouteDeps {
  readonly services: Services;
  readonly clientAddress: ClientAddress;
}

/** One visit of a browser. */
interface Visit {
  readonly services: Services;
  readonly exchange: Exchange;
  readonly provider: string;
  readonly search: URLSearchParams;
  readonly info: RequestInfo;
  readonly cookies: Cookies;
}

/** Serves the way to a provider and back. */
export async function serveOidc(
  { services, clientAddress }: OidcRouteDeps,
  exchange: Exchange,
): Promise<void> {
  const { request, response, path } = exchange;
  const [, provider = '', step] = ROUTE.exec(path.slice(OIDC_PREFIX.length)) ?? [];
  if (!services.externalProviders.oidc.has(provider)) {
    return refuse(exchange, 404, 'EXTERNAL_PROVIDER_UNKNOWN', new ExternalProviderUnknownError().message);
  }
  // What is prefetched or looked at by HEAD begins and finishes nothing.
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET');
    return refuse(exchange, 405, 'METHOD_NOT_ALLOWED', 'Only GET.');
  }
  response.setHeader('cache-control', 'no-store');
  const visit: Visit = {
    services,
    exchange,
    provider,
    search: new URL(request.url ?? '/', 'http://here.invalid').searchParams,
    info: requestInfoOf(request, 'HTTP', clientAddress),
    cookies: cookiesOf(request, response),
  };
  return step === 'start' ? start(visit) : callback(visit);
}

/** Sends the browser to the provider. */
async function start(visit: Visit): Promise<void> {
  const { services, exchange, provider, search, info, cookies } = visit;
  // Browsers say so themselves. No other site decides that somebody signs in here, or as whom.
  if (exchange.request.headers['sec-fetch-site'] === 'cross-site') {
    return refuse(exchange, 403, 'FORBIDDEN', 'Signing in begins on a page of ours.');
  }
  const returnTo = parseReturnPath(search.get('returnTo') ?? '/');
  if (returnTo === undefined) {
    return refuse(exchange, 400, 'BAD_REQUEST', 'returnTo must be the path of a page here.');
  }
  try {
    await takeRequest(services.limiter, 'external-start', info.address);
    const replaces = await presentSignIn(visit);
    const { url, cookie } = await beginFlow(services, { provider, returnTo, link: null, replaces });
    cookies.set('__Host-tl_oidc', cookie, FLOW_SECONDS);
    redirect(exchange, url.href);
  } catch (error) {
    sendBack(visit, { returnTo, outcome: codeFor(visit, error) });
  }
}

/** The sign-in that the browser is in; null: none. */
async function presentSignIn({ services, cookies }: Visit): Promise<FlowHolder | null> {
  const token = cookies.read('__Host-tl_session');
  const session = token === null ? null : await services.sessions.validate(token);
  return session === null ? null : { userId: session.userId, signInId: session.id };
}

/** Takes the browser back from the provider. */
async function callback(visit: Visit): Promise<void> {
  const { services, exchange, provider, search, info, cookies } = visit;
  let flow: OidcFlow;
  try {
    await takeRequest(services.limiter, 'external-sign-in', info.address);
    const cookie = cookies.read('__Host-tl_oidc');
    flow = resumeFlow(services, { provider, cookie, state: search.get('state') });
  } catch (error) {
    // There is no page to go back to, and nothing is told that somebody wrote into the address.
    const code = codeFor(visit, error);
    services.audit.countRefusal({ action: 'externalSignIn', code });
    const status = error instanceof RateLimitedError ? 429 : 400;
    return refuse(exchange, status, code, messageOf(error));
  }
  cookies.set('__Host-tl_oidc', null, 0);
  const { returnTo, link } = flow;
  try {
    await audited(visit, link, () => (link === null ? signIn(visit, flow) : linkTo(visit, flow, link)));
    sendBack(visit, { returnTo, outcome: link === null ? 'done' : 'linked' });
  } catch (error) {
    sendBack(visit, { returnTo, outcome: codeFor(visit, error) });
  }
}

async function signIn(visit: Visit, flow: OidcFlow): Promise<Partial<AuditNote>> {
  const { services, info, cookies } = visit;
  const proven = await finishFlow(services, flow, searchOf(visit));
  const sessionCookie = cookies.read('__Host-tl_session');
  const signedIn = await signInExternally(services, { proven, ...info, sessionCookie });
  const { userId, issued, deviceCookie, created } = signedIn;
  const { replaces } = flow;
  if (replaces !== null) await services.sessions.revoke({ userId: replaces.userId, id: replaces.signInId });
  const seconds = (issued.session.absoluteExpiresAt - services.clock.nowMs()) / 1_000;
  cookies.set('__Host-tl_session', issued.token, seconds);
  cookies.set('__Host-tl_device', deviceCookie, KNOWN_DEVICE_SECONDS);
  if (created) {
    await services.audit.record(
      accountOpenedNote({ userId, provider: flow.provider }, visit.exchange.requestId),
    );
  }
  return { actorKind: 'USER', actorId: userId, target: userId };
}

/** Links with the account of who began it, as long as the very sign-in lasts that they began it in. */
async function linkTo(visit: Visit, flow: OidcFlow, holder: FlowHolder): Promise<Partial<AuditNote>> {
  const { services } = visit;
  const proven = await finishFlow(services, flow, searchOf(visit));
  await requireSameSignIn(visit, holder);
  return { target: await linkIdentity(services, { userId: holder.userId, proven }) };
}

/**
 * The cookie of the session does not come along from another site, and the flow's own says which one it was. When it does come along
 * all the same, it must be that one.
 * @throws ExternalSignInRefusedError
 */
async function requireSameSignIn(visit: Visit, holder: FlowHolder): Promise<void> {
  const session = await visit.services.sessions.find(holder.signInId);
  if (session?.userId !== holder.userId) throw new ExternalSignInRefusedError('the sign-in has ended');
  const present = await presentSignIn(visit);
  if (present !== null && present.signInId !== holder.signInId) {
    throw new ExternalSignInRefusedError('the browser has another sign-in meanwhile');
  }
}

/** What leaves an entry in the audit log, noted before it is done. */
async function audited(
  { services, exchange, info, provider }: Visit,
  link: FlowHolder | null,
  act: () => Promise<Partial<AuditNote>>,
): Promise<void> {
  const actor =
    link === null
      ? ({ actorKind: 'ANONYMOUS', actorId: null } as const)
      : ({ actorKind: 'USER', actorId: link.userId } as const);
  const pending = await services.audit.begin({
    ...actor,
    role: null,
    channelId: null,
    action: link === null ? 'externalSignIn' : 'externalIdentityLink',
    target: null,
    requestId: exchange.requestId,
    address: info.address,
    details: { provider },
  });
  const done: AuditResult = { outcome: 'DONE', code: null };
  try {
    const learnt = await act();
    await pending.finish(done, learnt);
  } catch (error) {
    await pending.finish(failureOf(error));
    throw error;
  }
}

/** The code that stands for an error. What is none of ours to tell goes on, to the log. */
function codeFor({ services, exchange, provider }: Visit, error: unknown): string {
  if (!(error instanceof UserError)) throw error;
  const { requestId } = exchange;
  services.logger.info({ requestId, provider, code: error.code, err: error }, 'external-sign-in.refused');
  return error.code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

/** The query as it came, with its question mark. */
function searchOf({ exchange }: Visit): string {
  return (exchange.request.url ?? '').slice(exchange.path.length);
}

/** Back to the page that it began on. Only words of ours stand in the address. */
function sendBack(
  { services, exchange }: Visit,
  { returnTo, outcome }: { readonly returnTo: string; readonly outcome: string },
): void {
  redirect(exchange, `${new URL(services.publicUrl).origin}${returnTo}#${OUTCOME}=${outcome}`);
}

function redirect({ response }: Exchange, location: string): void {
  response.writeHead(303, { location, 'content-length': 0 }).end();
}
