import { UserError } from '../../errors/errors.ts';

/**
 * What came from the provider, or what we had given out for it, does not hold: forged, used, too old, of another browser, or of
 * somebody who may not sign in. Which of these is for the log, in `cause`.
 */
export class ExternalSignInRefusedError extends UserError {
  override readonly name = 'ExternalSignInRefusedError';
  readonly code = 'EXTERNAL_SIGN_IN_REFUSED';

  constructor(why: unknown) {
    super('This sign-in was not accepted: begin it again.', {
      cause: typeof why === 'string' ? new Error(why) : why,
    });
  }
}

/** Somebody broke off the sign-in at the provider. */
export class ExternalSignInCancelledError extends UserError {
  override readonly name = 'ExternalSignInCancelledError';
  readonly code = 'EXTERNAL_SIGN_IN_CANCELLED';

  constructor() {
    super('The sign-in was broken off at the provider.');
  }
}

/** No account has this identity, and none is made for it or linked by itself. */
export class ExternalIdentityNotLinkedError extends UserError {
  override readonly name = 'ExternalIdentityNotLinkedError';
  readonly code = 'EXTERNAL_IDENTITY_NOT_LINKED';

  constructor() {
    super('No account is linked with this identity: sign in as you are used to, then link it.');
  }
}

/** The provider does not vouch for an e-mail address, and an account needs one. Told alike whether or not an account has it. */
export class ExternalEmailUnverifiedError extends UserError {
  override readonly name = 'ExternalEmailUnverifiedError';
  readonly code = 'EXTERNAL_EMAIL_UNVERIFIED';

  constructor() {
    super(
      'The provider does not say that your e-mail address is verified: verify it there, or sign up here.',
    );
  }
}

/** The identity belongs to an account that is not yours. */
export class ExternalIdentityTakenError extends UserError {
  override readonly name = 'ExternalIdentityTakenError';
  readonly code = 'EXTERNAL_IDENTITY_TAKEN';

  constructor() {
    super('This identity is linked with another account.');
  }
}

/** The account has as many identities as it may have. */
export class ExternalIdentityLimitError extends UserError {
  override readonly name = 'ExternalIdentityLimitError';
  readonly code = 'EXTERNAL_IDENTITY_LIMIT';
  readonly max: number;

  constructor(max: number) {
    super(`An account can be linked with ${max} identities: unlink one first.`);
    this.max = max;
  }
}

/** The account has no such identity. */
export class ExternalIdentityNotFoundError extends UserError {
  override readonly name = 'ExternalIdentityNotFoundError';
  readonly code = 'EXTERNAL_IDENTITY_NOT_FOUND';

  constructor() {
    super('Your account is not linked with this identity.');
  }
}

/** Nothing would be left to sign in with. */
export class LastSignInWayError extends UserError {
  override readonly name = 'LastSignInWayError';
  readonly code = 'LAST_SIGN_IN_WAY';

  constructor() {
    super('It is your only way to sign in: set a password, or link another identity, first.');
  }
}

/** No provider of this name is configured. */
export class ExternalProviderUnknownError extends UserError {
  override readonly name = 'ExternalProviderUnknownError';
  readonly code = 'EXTERNAL_PROVIDER_UNKNOWN';

  constructor() {
    super('Signing in with this provider is not set up here.');
  }
}

/** The provider did not answer, or not as it should. Why is for the log, in `cause`. */
export class ExternalProviderUnavailableError extends UserError {
  override readonly name = 'ExternalProviderUnavailableError';
  readonly code = 'EXTERNAL_PROVIDER_UNAVAILABLE';

  constructor(why: unknown) {
    super('The provider cannot be reached at the moment: try again later.', { cause: why });
  }
}
