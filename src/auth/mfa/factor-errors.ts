import { UserError } from '../../errors/errors.ts';

/** What was shown is not a valid second factor: wrong, used before, expired, or made for another place. Not said which. */
export class FactorRefusedError extends UserError {
  override readonly name = 'FactorRefusedError';
  readonly code = 'FACTOR_REFUSED';

  constructor(options?: ErrorOptions) {
    super('That is not valid, or not any more. Try again with a new one.', options);
  }
}

/** Too many factors were tried for this user. */
export class TooManyFactorAttemptsError extends UserError {
  override readonly name = 'TooManyFactorAttemptsError';
  readonly code = 'TOO_MANY_FACTOR_ATTEMPTS';
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super(`Too many attempts. Try again in ${retryAfterSeconds} s.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The user has an authenticator app already. */
export class TotpAlreadyEnrolledError extends UserError {
  override readonly name = 'TotpAlreadyEnrolledError';
  readonly code = 'TOTP_ALREADY_ENROLLED';

  constructor() {
    super('There is an authenticator app already. Remove it first.');
  }
}

/** The user has no such factor. */
export class FactorNotFoundError extends UserError {
  override readonly name = 'FactorNotFoundError';
  readonly code = 'FACTOR_NOT_FOUND';

  constructor() {
    super('There is no such factor.');
  }
}

/** The role of the user demands a second factor, and this is the last one. */
export class LastFactorError extends UserError {
  override readonly name = 'LastFactorError';
  readonly code = 'LAST_FACTOR';

  constructor() {
    super('This role demands a second factor. Add another one before you remove the last.');
  }
}

/** The user has as many passkeys as one may have. */
export class PasskeyLimitError extends UserError {
  override readonly name = 'PasskeyLimitError';
  readonly code = 'PASSKEY_LIMIT';

  constructor(passkeysMax: number) {
    super(`There are ${passkeysMax} passkeys, which is all there may be. Remove one first.`);
  }
}

/** Passkeys belong to a domain, and we are reached by an address. */
export class PasskeysUnavailableError extends UserError {
  override readonly name = 'PasskeysUnavailableError';
  readonly code = 'PASSKEYS_UNAVAILABLE';

  constructor() {
    super('Passkeys need a domain name: set TALLYLIGHT_PUBLIC_URL to one.');
  }
}

/** Factors belong to a sign-in in a browser; a token in a program is none, and a socket cannot take the new cookie. */
export class BrowserNeededError extends UserError {
  override readonly name = 'BrowserNeededError';
  readonly code = 'BROWSER_NEEDED';

  constructor() {
    super('Sign in in a browser, and send this by HTTP.');
  }
}
