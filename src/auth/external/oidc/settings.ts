/** A provider of OpenID Connect, as it is set up. */
export interface OidcSettings {
  /** Stands in addresses: a-z, 0-9 and `-`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Exactly as the provider calls itself. https, or http on this machine. */
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null;
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post';
  /** What is asked for; `openid` among it. */
  readonly scopes: readonly string[];
  /** Where the provider's endpoints may be besides the issuer's own origin. Nothing is asked of any other place. */
  readonly origins: readonly string[];
  /** Whether whom nobody knows here gets an account. */
  readonly opensAccounts: boolean;
}
