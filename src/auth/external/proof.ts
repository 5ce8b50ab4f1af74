/** What a provider says of somebody. Only of the e-mail address it is asked whether it is sure. */
export interface ExternalProfile {
  readonly email: string | null;
  /** Whether the provider has seen that they read it. */
  readonly emailVerified: boolean;
  readonly displayName: string | null;
}

/**
 * Somebody whom a provider has proven to be who they are there. The one shape that every kind of provider ends in; what a sign-in is
 * made of it, no provider decides.
 */
export interface ProvenIdentity {
  /** Who says so: an https address, exactly as the provider is configured. */
  readonly issuer: string;
  /** Who it is, for this issuer alone. Personal. */
  readonly subject: string;
  /** The session there, when it can end before ours; else null. */
  readonly sessionId: string | null;
  /** Whether an account may be made for whom nobody knows here. */
  readonly opensAccounts: boolean;
  /** Asked for only when an account is to be made. @throws ExternalProviderUnavailableError, ExternalSignInRefusedError */
  profile(): Promise<ExternalProfile>;
}
