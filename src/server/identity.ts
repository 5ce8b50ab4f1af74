import { type Access, createAccess } from '../auth/access.ts';
import { accessKeyCredential } from '../auth/access-key-credential.ts';
import { sessionCredential } from '../auth/session-credential.ts';
import {
  createSessionStore,
  DEFAULT_SESSION_OPTIONS,
  type SessionOptions,
} from '../auth/sessions/create-session-store.ts';
import type { SessionStore } from '../auth/sessions/session-store.ts';
import { tokenCredential } from '../auth/token-credential.ts';
import type { ReuseReport } from '../auth/tokens/token-families.ts';
import { createTokens, type Tokens } from '../auth/tokens/tokens.ts';
import { clientKeyCredential } from '../clients/client-key.ts';
import type { ApiDeps } from './api.ts';

/** Who comes with what: sessions, tokens, and every kind of credential. */
export interface Identity {
  readonly sessions: SessionStore;
  readonly tokens: Tokens;
  readonly access: Access;
}

/** The parts of identity, over the same database. A new kind of credential is one more in the list. */
export async function createIdentity(
  deps: ApiDeps & { readonly onReuse: (report: ReuseReport) => Promise<void> },
  options: { readonly session: SessionOptions | undefined; readonly publicUrl: string },
): Promise<Identity> {
  const sessions = createSessionStore(deps, options.session ?? DEFAULT_SESSION_OPTIONS);
  const tokens = await createTokens({ ...deps, publicUrl: options.publicUrl });
  const access = await createAccess(deps, [
    accessKeyCredential(deps),
    clientKeyCredential(deps),
    sessionCredential({ ...deps, sessions }),
    tokenCredential({ ...deps, tokens }),
  ]);
  return { sessions, tokens, access };
}
