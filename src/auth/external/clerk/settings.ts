/** A Clerk application, as it is set up. */
export interface ClerkSettings {
  /** The address of its front-end API, as tokens name it. */
  readonly issuer: string;
  /** Opens Clerk's API: who somebody is, and its keys when `jwtKey` is not given. */
  readonly secretKey: string;
  /** The public key that its session tokens are signed with, in PEM; null: Clerk is asked for it. */
  readonly jwtKey: string | null;
  /** The pages whose session tokens are taken. Never empty. */
  readonly authorizedParties: readonly string[];
  /** What its webhooks are signed with; null: none are taken. */
  readonly webhookSecret: string | null;
  readonly apiUrl: string;
  /** What pages of ours begin with; public. */
  readonly publishableKey: string | null;
  /** Whether whom nobody knows here gets an account. */
  readonly opensAccounts: boolean;
}
