import type { Clock } from '../../lib/clock.ts';
import { createClerkProvider } from './clerk/provider.ts';
import type { ClerkSettings } from './clerk/settings.ts';
import { createOidcProvider } from './oidc/provider.ts';
import type { OidcSettings } from './oidc/settings.ts';
import type { ExternalProviders } from './providers.ts';

/** Who else may say who somebody is. */
export interface ExternalSettings {
  /** Null: not Clerk. */
  readonly clerk: ClerkSettings | null;
  readonly oidc: readonly OidcSettings[];
}

/** The providers behind the settings. None is asked for anything before somebody signs in with it. */
export function createExternalProviders(
  { clerk, oidc }: ExternalSettings,
  deps: { readonly clock: Clock },
): ExternalProviders {
  return {
    clerk: clerk === null ? null : createClerkProvider(clerk),
    oidc: new Map(oidc.map((settings) => [settings.name, createOidcProvider(settings, deps)])),
  };
}
