import { UserError } from '../errors/errors.ts';

/** Too much was asked for in too short a time. */
export class RateLimitedError extends UserError {
  override readonly name = 'RateLimitedError';
  readonly code = 'RATE_LIMITED';
  /** Whole seconds until the same would be allowed. */
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super(`Too much in too short a time. Try again in ${retryAfterSeconds} s.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
