import { UserError } from '../../errors/errors.ts';

/** The refresh token is unknown, expired, revoked, or was used before: the same answer to all, since thieves ask too. */
export class RefreshTokenInvalidError extends UserError {
  override readonly name = 'RefreshTokenInvalidError';
  readonly code = 'REFRESH_TOKEN_INVALID';

  constructor() {
    super('This refresh token is not valid, or not any more. Sign in and make a new one.');
  }
}

/** The refresh token was exchanged a moment ago, probably by the same program: nothing is given, nothing is revoked. */
export class RefreshTokenRotatedError extends UserError {
  override readonly name = 'RefreshTokenRotatedError';
  readonly code = 'REFRESH_TOKEN_ROTATED';

  constructor() {
    super('This refresh token was exchanged just now. Use the one that the other request was given.');
  }
}

/** Tokens for programs are made from a sign-in of the browser, not with a token or a key. */
export class SessionRequiredError extends UserError {
  override readonly name = 'SessionRequiredError';
  readonly code = 'SESSION_REQUIRED';

  constructor() {
    super('Do this from where you are signed in with a password or an outside identity, not with a token.');
  }
}

/** The user has no such tokens, or not any more. */
export class TokenFamilyNotFoundError extends UserError {
  override readonly name = 'TokenFamilyNotFoundError';
  readonly code = 'TOKEN_FAMILY_NOT_FOUND';

  constructor() {
    super('You have no such tokens.');
  }
}

/** The user has no such sign-in, or not any more. */
export class SignInNotFoundError extends UserError {
  override readonly name = 'SignInNotFoundError';
  readonly code = 'SIGN_IN_NOT_FOUND';

  constructor() {
    super('You have no such sign-in.');
  }
}
