import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CookieName, Cookies } from '../context.ts';

/** A request's cookies are not read beyond this, in characters: ours are three and not long. */
const COOKIE_HEADER_MAX = 8 * 1024;

/**
 * The cookies of one exchange. Read by ourselves: a value is taken as it stands (ours need no decoding, and a bad `%` in
 * a stranger's must not hide them), and a name that comes twice counts as absent, since one of them is planted.
 */
export function cookiesOf(request: IncomingMessage, response: ServerResponse): Cookies {
  return {
    read: (name) => readCookie(request.headers.cookie, name),
    set: (name, value, maxAgeSeconds) => {
      if (response.headersSent) return;
      response.appendHeader('set-cookie', cookieText(name, value, maxAgeSeconds));
    },
  };
}

/** The value of the cookie of this name; null when it is absent, empty, or there more than once. */
export function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined || header.length > COOKIE_HEADER_MAX) return null;
  const values = header.split(';').flatMap((part) => {
    const at = part.indexOf('=');
    return at > 0 && part.slice(0, at).trim() === name ? [part.slice(at + 1).trim()] : [];
  });
  return values.length === 1 && values[0] !== undefined && values[0] !== '' ? values[0] : null;
}

/**
 * Which requests from other sites a cookie goes along with: none, but for the sign-in that a provider sends the browser back to. That
 * one opens nothing by itself.
 */
const SAME_SITE = {
  '__Host-tl_session': 'Strict',
  '__Host-tl_device': 'Strict',
  '__Host-tl_oidc': 'Lax',
} as const satisfies Readonly<Record<CookieName, string>>;

function cookieText(name: CookieName, value: string | null, maxAgeSeconds: number): string {
  const age = value === null ? 0 : Math.max(0, Math.floor(maxAgeSeconds));
  return `${name}=${value ?? ''}; Max-Age=${age}; Path=/; HttpOnly; Secure; SameSite=${SAME_SITE[name]}`;
}
