import { UserError } from '../../errors/errors.ts';

/** The address and the password do not belong together. The same for an unknown address. */
export class InvalidCredentialsError extends UserError {
  override readonly name = 'InvalidCredentialsError';
  readonly code = 'INVALID_CREDENTIALS';

  constructor() {
    super('Address and password do not belong together.');
  }
}

/** The code or link was never given out, was used, or is too old. */
export class TokenInvalidError extends UserError {
  override readonly name = 'TokenInvalidError';
  readonly code = 'TOKEN_INVALID';

  constructor() {
    super('This code was used already, is too old, or was never given out: ask for another one.');
  }
}

/** Somebody else has the address. Only told to who has shown to read it. */
export class EmailTakenError extends UserError {
  override readonly name = 'EmailTakenError';
  readonly code = 'EMAIL_TAKEN';

  constructor() {
    super('Another account has this address.');
  }
}

/** Signing in sets a cookie: by HTTP, and for nobody who comes with a key. */
export class CookieNeededError extends UserError {
  override readonly name = 'CookieNeededError';
  readonly code = 'COOKIE_NEEDED';

  constructor() {
    super('Sign in by HTTP and without an Authorization header: nothing else can set a cookie.');
  }
}
