import type { IncomingMessage } from 'node:http';

/**
 * Whether the page behind a request may talk to us: no page at all (programs send no Origin), a page of ours, or one of the
 * origins that were allowed. Browsers do not let pages forge the header.
 */
export function isAllowedOrigin(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return allowedOrigins.has(origin) || (host !== undefined && hostOf(origin) === host.toLowerCase());
}

/** The host and port of an origin; undefined for `null`, the origin of pages without one. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
