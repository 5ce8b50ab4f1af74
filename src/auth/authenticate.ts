import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { authenticate as authenticateAccessKey } from './access-keys.ts';
import type { Viewer } from './viewer.ts';

/** What somebody came with: a bearer credential (a key or a token), or the session cookie's value. */
export type Credential =
  | { readonly kind: 'BEARER'; readonly text: string }
  | { readonly kind: 'COOKIE'; readonly token: string };

export interface AuthenticateDeps {
  readonly db: Kysely<Database>;
}

/** Who came with this credential; null when it opens nothing. Nobody without one is ANONYMOUS: the caller's business. */
export async function authenticateCredential(
  deps: AuthenticateDeps,
  credential: Credential,
): Promise<Exclude<Viewer, { readonly kind: 'ANONYMOUS' }> | null> {
  if (credential.kind === 'COOKIE') return null;
  return authenticateAccessKey(deps, credential.text);
}
