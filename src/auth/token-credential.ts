import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectGoodTokenFamilies } from '../db/token-family.ts';
import { selectSignInStandings } from '../db/user-access.ts';
import type { Clock } from '../lib/clock.ts';
import { parseId, type UserId } from '../lib/ids.ts';
import { type CredentialKind, credentialId } from './credential-kind.ts';
import { type AccessClaims, isAccessToken, type TokenGrant } from './tokens/access-token.ts';
import type { Tokens } from './tokens/tokens.ts';
import { type Holding, userViewers } from './user-viewer.ts';

interface TokenCredentialDeps {
  readonly db: Kysely<Database>;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Access tokens. Each stands on a session or on a family of refresh tokens, and opens nothing once that has ended. */
export function tokenCredential(deps: TokenCredentialDeps): CredentialKind {
  return {
    recognises: (credential) => credential.kind === 'BEARER' && isAccessToken(credential.text),
    authenticate: async (credential) => {
      if (credential.kind !== 'BEARER') return null;
      const claims = await deps.tokens.verify(credential.text);
      if (claims === null) return null;
      const [viewer] = await userViewers(deps, await holdingsOf(deps, [claims]));
      return viewer ?? null;
    },
    refresh: async (viewers) => {
      const nowMs = deps.clock.nowMs();
      const claims = viewers.flatMap((viewer): readonly AccessClaims[] => {
        if (viewer.kind !== 'USER' || viewer.credential.kind !== 'TOKEN') return [];
        const { id: grant, expiresAtMs } = viewer.credential;
        return expiresAtMs > nowMs ? [{ userId: viewer.userId, grant, expiresAtMs }] : [];
      });
      if (claims.length === 0) return new Map();
      const fresh = await userViewers(deps, await holdingsOf(deps, claims));
      return new Map(
        fresh.flatMap((viewer) => (viewer === null ? [] : [[credentialId(viewer), viewer] as const])),
      );
    },
  };
}

interface Standing {
  readonly userId: UserId;
  readonly createdAt: number;
  readonly mfaAt: number | null;
}

/** The claims whose session or family still stands and is their user's. */
async function holdingsOf(
  { db, clock }: TokenCredentialDeps,
  claims: readonly AccessClaims[],
): Promise<readonly Holding[]> {
  const nowMs = clock.nowMs();
  const sessionIds = claims.flatMap(({ grant }) => parseId('signIn', grant) ?? []);
  const familyIds = claims.flatMap(({ grant }) => parseId('tokenFamily', grant) ?? []);
  const standings = new Map<TokenGrant, Standing>();
  if (sessionIds.length > 0) {
    for (const [id, standing] of await selectSignInStandings(db, { ids: sessionIds, nowMs })) {
      standings.set(id, standing);
    }
  }
  if (familyIds.length > 0) {
    for (const family of await selectGoodTokenFamilies(db, { ids: familyIds, nowMs })) {
      standings.set(family.id, family);
    }
  }
  return claims.flatMap(({ userId, grant, expiresAtMs }) => {
    const standing = standings.get(grant);
    if (standing === undefined || standing.userId !== userId) return [];
    const credential = { kind: 'TOKEN' as const, id: grant, expiresAtMs };
    return [{ userId, credential, signedInAt: standing.createdAt, mfaAt: standing.mfaAt }];
  });
}
