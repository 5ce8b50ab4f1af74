import type { ClerkProvider } from './clerk/provider.ts';
import type { OidcProvider } from './oidc/provider.ts';

/** The providers that are set up here. */
export interface ExternalProviders {
  readonly clerk: ClerkProvider | null;
  /** By name, in the order in which they are configured. */
  readonly oidc: ReadonlyMap<string, OidcProvider>;
}

/** How a provider is called. */
export interface ProviderName {
  /** For programs. */
  readonly name: string;
  /** For people. */
  readonly title: string;
}

/** The names of the providers by their issuers: what is not in it can be signed in with no more. */
export function namesByIssuer({ clerk, oidc }: ExternalProviders): ReadonlyMap<string, ProviderName> {
  const all = [...oidc.values(), ...(clerk === null ? [] : [clerk])];
  return new Map(all.map(({ issuer, name, title }) => [issuer, { name, title }]));
}
