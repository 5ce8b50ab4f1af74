import type { Kysely } from 'kysely';
import type { SessionStore } from '../auth/sessions/session-store.ts';
import type { Tokens } from '../auth/tokens/tokens.ts';
import type { Database } from '../db/connect.ts';
import { deleteExpiredMemories } from '../db/external-memory.ts';
import { deleteExpiredOneTimeTokens } from '../db/one-time-token.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** What has ended opens nothing anyway; this is for the tables' size, in milliseconds. */
const SWEEP_EVERY_MS = 15 * 60_000;

/** Removes sessions, tokens and codes that have ended, now and then. The function it gives stops it. */
export function startIdentitySweep(deps: {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly sessions: SessionStore;
  readonly tokens: Tokens;
  readonly logger: Logger;
}): () => Promise<void> {
  let sweeping: Promise<void> = Promise.resolve();
  const sweep = async (): Promise<void> => {
    try {
      await deps.sessions.sweep();
      await deps.tokens.sweep();
      await deleteExpiredOneTimeTokens(deps.db, deps.clock.nowMs());
      await deleteExpiredMemories(deps.db, deps.clock.nowMs());
    } catch (error) {
      // The next time makes up for it.
      deps.logger.warn({ err: error }, 'identity.sweep.failed');
    }
  };
  const timer = setInterval(() => {
    sweeping = sweep();
  }, SWEEP_EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await sweeping;
  };
}
