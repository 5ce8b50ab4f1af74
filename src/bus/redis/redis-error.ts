import { ReplyError } from 'ioredis';
import { DependencyError } from '../../errors/errors.ts';

/** Replies that pass: loading, busy, failing over, out of memory until consumers catch up. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  'LOADING',
  'BUSY',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'READONLY',
  'MOVED',
  'ASK',
  'OOM',
  'MISCONF',
  'NOREPLICAS',
  'NOGROUP',
]);

/** The code that Redis puts first in an error reply (`NOSCRIPT`, `NOGROUP`), or null when the failure is no reply. */
export function replyCode(error: unknown): string | null {
  const reply = error instanceof DependencyError ? error.cause : error;
  if (!(reply instanceof ReplyError) || !(reply instanceof Error)) return null;
  return /^[A-Z]+/.exec(reply.message)?.[0] ?? null;
}

/**
 * `error` of the Redis client as ours. A reply says by its code whether trying again helps; anything else is the
 * connection, which comes back. The cause is kept for the log, without the command's arguments: they are events.
 */
export function redisFailure(error: unknown): DependencyError {
  if (error instanceof DependencyError) return error;
  if (error instanceof Error && 'command' in error) Reflect.deleteProperty(error, 'command');
  const code = replyCode(error);
  const retryable = code === null || PASSING_CODES.has(code);
  const message = code === null ? `Redis is ${distrust(error) ?? 'out of reach'}` : `Redis answered ${code}`;
  return new DependencyError(message, { dependency: 'redis', retryable, cause: error });
}

/** What is wrong with the server's certificate, in Node's words; null when that is not what is wrong. */
function distrust(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return /CERT|SIGNATURE|ISSUER/.test(String(error.code)) ? `not to be trusted: ${error.message}` : null;
}
