import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectSignInStandings } from '../db/user-access.ts';
import type { Clock } from '../lib/clock.ts';
import type { SignInId } from '../lib/ids.ts';
import { type CredentialKind, credentialId } from './credential-kind.ts';
import type { SessionStore } from './sessions/session-store.ts';
import { isSessionToken } from './sessions/session-token.ts';
import { userViewers } from './user-viewer.ts';
import type { SignedInUser } from './viewer.ts';

/** The session in the cookie. As a bearer credential its token opens nothing: it must not leave the cookie. */
export function sessionCredential(deps: {
  readonly db: Kysely<Database>;
  readonly sessions: SessionStore;
  readonly clock: Clock;
}): CredentialKind {
  return {
    recognises: (credential) => credential.kind === 'COOKIE' && isSessionToken(credential.token),
    authenticate: async (credential) => {
      if (credential.kind !== 'COOKIE') return null;
      const session = await deps.sessions.validate(credential.token);
      if (session === null) return null;
      const { id, userId, createdAt: signedInAt, mfaAt } = session;
      const [viewer] = await userViewers(deps, [
        { userId, signedInAt, mfaAt, credential: { kind: 'SESSION', id } },
      ]);
      return viewer ?? null;
    },
    refresh: async (viewers) => {
      const held = new Map<SignInId, SignedInUser>();
      for (const viewer of viewers) {
        if (viewer.kind === 'USER' && viewer.credential.kind === 'SESSION') {
          held.set(viewer.credential.id, viewer);
        }
      }
      if (held.size === 0) return new Map();
      const standings = await selectSignInStandings(deps.db, {
        ids: [...held.keys()],
        nowMs: deps.clock.nowMs(),
      });
      const holdings = [...held].flatMap(([id, { userId }]) => {
        const standing = standings.get(id);
        if (standing === undefined) return [];
        const { createdAt: signedInAt, mfaAt } = standing;
        return [{ userId, signedInAt, mfaAt, credential: { kind: 'SESSION' as const, id } }];
      });
      const fresh = await userViewers(deps, holdings);
      return new Map(
        fresh.flatMap((viewer) => (viewer === null ? [] : [[credentialId(viewer), viewer] as const])),
      );
    },
  };
}
