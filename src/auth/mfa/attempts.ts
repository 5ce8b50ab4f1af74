import type { Kysely } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { clearFactorAttempts, countFactorAttempt } from '../../db/second-factor.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UserId } from '../../lib/ids.ts';
import { FactorRefusedError, TooManyFactorAttemptsError } from './factor-errors.ts';

/** Wrong attempts per user in a row, and the time they count for, in milliseconds: 1,440 guesses a day at a million codes. */
export const ATTEMPTS_MAX = 5;
export const ATTEMPTS_WINDOW_MS = 5 * 60_000;

/**
 * Looks at what a user shows, unless they have shown five wrong things within five minutes. The attempt is counted first, so
 * that a hundred at once are no more than five.
 * @throws TooManyFactorAttemptsError
 * @throws FactorRefusedError when `check` says no
 */
export async function attemptFactor(
  deps: { readonly db: Kysely<Database>; readonly clock: Clock },
  userId: UserId,
  check: () => Promise<boolean>,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const counted = await countFactorAttempt(deps.db, { userId, nowMs, windowMs: ATTEMPTS_WINDOW_MS });
  if (counted.attempts > ATTEMPTS_MAX) {
    const waitMs = counted.sinceMs + ATTEMPTS_WINDOW_MS - nowMs;
    throw new TooManyFactorAttemptsError(Math.max(1, Math.ceil(waitMs / 1000)));
  }
  if (!(await check())) throw new FactorRefusedError();
  await clearFactorAttempts(deps.db, userId);
}
