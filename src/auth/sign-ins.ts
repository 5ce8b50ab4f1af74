import type { SignInId, UserId } from '../lib/ids.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { Tokens } from './tokens/tokens.ts';

/** What lets users in. */
export interface SignInDeps {
  readonly sessions: Pick<SessionStore, 'revokeAll'>;
  readonly tokens: Pick<Tokens, 'revokeAll'>;
}

/**
 * Ends the user's sign-ins, all or all but one, and the tokens of their programs: what was let in under what held before. Sessions
 * first: whoever makes tokens looks afterwards whether the session still stands. Returns how many sessions there were.
 */
export async function endSignIns(
  { sessions, tokens }: SignInDeps,
  userId: UserId,
  options: { readonly except: SignInId | null },
): Promise<number> {
  const ended = await sessions.revokeAll(userId, options);
  await tokens.revokeAll(userId);
  return ended;
}
