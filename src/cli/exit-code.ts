import { DependencyError, UserError } from '../errors/errors.ts';

/** What the process's exit code says; `--help` and docs/operations.md list the same. */
export const EXIT_CODES = {
  /** Done, or stopped when asked to. */
  OK: 0,
  /** Something we depend on failed, `doctor` found a failing link, or there is a bug of ours. */
  FAILED: 1,
  /** The command line or the configuration is wrong. */
  USAGE: 2,
  /** Everything was understood, and the state of things forbids it: folder in use, port taken, old schema, unknown session. */
  REFUSED: 3,
  /** Cancelled with Ctrl-C before it was done. */
  CANCELLED: 130,
} as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** User errors whose cause is what was typed or configured. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'USAGE',
  'CONFIG_INVALID',
  'DATABASE_URL_INVALID',
  'MASTER_KEY_INVALID',
  'TLS_FILES_INVALID',
  'INSECURE_HOST',
  'INVALID_HANDLE',
  'INVALID_INPUT',
  'SIMULATE_OPTION',
  'REPLAY_SPEED_INVALID',
  'BAD_USER_INPUT',
]);

/** User errors whose cause is a server that is not there or does not let us in. */
const ENVIRONMENT_CODES: ReadonlySet<string> = new Set([
  'DATABASE_UNREACHABLE',
  'DATABASE_AUTHENTICATION',
  'DATABASE_MISSING',
  'DATABASE_TLS',
  'MIGRATION_FAILED',
  'EMBEDDED_POSTGRES_FAILED',
  'EMBEDDED_POSTGRES_MISSING',
  'EMBEDDED_POSTGRES_NO_ACCOUNT',
]);

/** The command line cannot be carried out as it was typed. */
export class UsageError extends UserError {
  override readonly name = 'UsageError';
  override readonly code = 'USAGE';
}

/** What stands in the way cannot be mended by typing the command differently. */
export class RefusedError extends UserError {
  override readonly name = 'RefusedError';
  override readonly code = 'REFUSED';
}

/** Whether the error's message is meant for the person at the terminal, without a stack. */
export function isForPeople(error: unknown): error is UserError | DependencyError {
  return error instanceof UserError || error instanceof DependencyError;
}

/** The exit code that an error asks for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof UserError)) return EXIT_CODES.FAILED;
  if (USAGE_CODES.has(error.code)) return EXIT_CODES.USAGE;
  return ENVIRONMENT_CODES.has(error.code) ? EXIT_CODES.FAILED : EXIT_CODES.REFUSED;
}
