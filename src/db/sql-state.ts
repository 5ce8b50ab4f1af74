import { DatabaseError } from 'pg';

/**
 * What a failed statement says about whom it is the fault of.
 * - `data`: this data will never be accepted;
 * - `no-partition`: there is no partition for the event's day;
 * - `database`: the server, its state or its schema; the same statement may work later;
 * - `unknown`: not an answer of the server at all (a broken connection, or a bug of ours).
 */
export type StatementFailure = 'data' | 'no-partition' | 'database' | 'unknown';

/** @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function classifyFailure(error: unknown): StatementFailure {
  const code = sqlState(error);
  if (code === undefined) return 'unknown';
  if (code === '23514' && !constraintOf(error)) return 'no-partition'; // check_violation of a partition bound has no name
  if (code === '23503') return 'database'; // foreign_key_violation: a row went away meanwhile
  // 22 data exception, 23 integrity constraint violation, 54 program limit exceeded
  if (/^(22|23|54)/.test(code)) return 'data';
  return 'database';
}

/** The five characters PostgreSQL names a failure by; undefined when the error is not an answer of the server. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

function constraintOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.constraint : undefined;
}
