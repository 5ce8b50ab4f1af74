/**
 * A failure that the caller caused or can act on. One subclass per failure, each with its stable `code`; thrown by the
 * domain, listed on the mutation that may return it, printed by the command line as one sentence without a stack.
 */
export abstract class UserError extends Error {
  abstract readonly code: string;
}

/** PostgreSQL, Redis, the event bus (full, closed), a provider, the mail server or our own hashing of passwords (too much at once) did not do its part. `retryable` says whether trying again can help. */
export class DependencyError extends Error {
  override readonly name = 'DependencyError';
  readonly dependency: 'postgres' | 'redis' | 'bus' | 'provider' | 'sign-server' | 'passwords' | 'mail';
  readonly retryable: boolean;

  constructor(
    message: string,
    options: {
      readonly dependency: DependencyError['dependency'];
      readonly retryable: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.dependency = options.dependency;
    this.retryable = options.retryable;
  }
}
