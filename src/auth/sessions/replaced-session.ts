import type { SessionStore } from './session-store.ts';

/**
 * Ends the session that a browser still has while it signs in anew, whoever's it is: its cookie is replaced, so nobody would end it
 * any more, and whoever had copied it would stay in. `token` is the cookie's value; null: it brought none.
 */
export async function endReplacedSession(
  sessions: Pick<SessionStore, 'validate' | 'revoke'>,
  token: string | null,
): Promise<void> {
  const replaced = token === null ? null : await sessions.validate(token);
  if (replaced !== null) await sessions.revoke({ userId: replaced.userId, id: replaced.id });
}
