import { sqlState } from './sql-state.ts';

/** SQLSTATEs by which PostgreSQL says that it cannot serve now: connection, resources, shutting down, statement cut short. */
const OUTAGE_STATES = /^(08|53|57P|57014)/;
/** System errors of a connection that broke or was never made. */
const OUTAGE_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
]);

/** Whether PostgreSQL is out of reach or out of resources: the same request may work in a moment. */
export function isOutage(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOutage); // several addresses were tried
  const state = sqlState(error);
  if (state !== undefined) return OUTAGE_STATES.test(state);
  return error instanceof Error && 'code' in error && OUTAGE_CODES.has(String(error.code));
}
