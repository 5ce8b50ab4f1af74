import type { AccountDeps } from '../accounts/deps.ts';
import type { ExternalProviders } from './providers.ts';

/** What signing in with identities from elsewhere works with. */
export interface ExternalDeps extends AccountDeps {
  readonly externalProviders: ExternalProviders;
}
