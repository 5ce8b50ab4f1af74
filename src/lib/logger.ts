import {
  type DestinationStream,
  type Logger as PinoLogger,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';

/** A structured logger. Events have fixed names (`session.connected`); values are fields; never names, handles or texts of viewers. */
export type Logger = PinoLogger;

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * What is logged of an error. Libraries hang whatever they had at hand on theirs, which pino would print: the Redis client the
 * whole command (events with names and texts), the database the row, HTTP clients the request with its key.
 */
const ERROR_FIELDS = [
  'type',
  'message',
  'stack',
  'code',
  'errno',
  'syscall',
  'severity',
  'constraint',
  'table',
  'dependency',
  'retryable',
] as const;

/** The process's one logger; modules take a child: `logger.child({ module: 'ingest' })`. Writes JSON lines to standard error. */
export function createLogger(level: LogLevel, destination: DestinationStream = pino.destination(2)): Logger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: loggedError },
  };
  return pino(options, destination);
}

function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  // The index signature is pino's own: whatever the error carries.
  const all: Readonly<Record<string, unknown>> = stdSerializers.err(error);
  return Object.fromEntries(
    ERROR_FIELDS.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
  );
}
