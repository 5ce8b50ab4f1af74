import { type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';

/** A structured logger. Events have fixed names (`session.connected`); values are fields; never names, handles or texts of viewers. */
export type Logger = PinoLogger;

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The process's one logger; modules take a child: `logger.child({ module: 'ingest' })`. Writes JSON lines to standard error. */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, pino.destination(2));
}
