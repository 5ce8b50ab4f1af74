import type { IssuedSession } from '../auth/sessions/session-store.ts';
import type { AppContext, Cookies } from '../context.ts';

/** Hands a session to the browser: its token leaves in the cookie, for as long as the session can last. */
export function putSessionCookie(
  cookies: Cookies,
  { services }: AppContext,
  { token, session }: IssuedSession,
): void {
  const seconds = (session.absoluteExpiresAt - services.clock.nowMs()) / 1_000;
  cookies.set('__Host-tl_session', token, seconds);
}

/** Takes the session's cookie away, where an answer can. */
export function dropSessionCookie({ cookies }: AppContext): void {
  cookies?.set('__Host-tl_session', null, 0);
}
