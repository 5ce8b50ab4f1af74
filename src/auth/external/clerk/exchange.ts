import { anyRemembered, rememberOnce } from '../../../db/external-memory.ts';
import { takeRequest } from '../../accounts/account-limits.ts';
import type { ExternalDeps } from '../deps.ts';
import { ExternalProviderUnknownError, ExternalSignInRefusedError } from '../errors.ts';
import { externalSessionHash, subjectHash } from '../keyed-hash.ts';
import type { ProvenIdentity } from '../proof.ts';

/**
 * Whom a Clerk session token proves, unless Clerk has told meanwhile that the session or its user has ended. Each is taken once: who overhears one later has nothing.
 * @throws RateLimitedError, before anything is looked at
 * @throws ExternalProviderUnknownError, ExternalSignInRefusedError, ExternalProviderUnavailableError
 */
export async function exchangeClerkToken(
  deps: ExternalDeps,
  { token, address }: { readonly token: string; readonly address: string | null },
): Promise<ProvenIdentity> {
  const { clerk } = deps.externalProviders;
  if (clerk === null) throw new ExternalProviderUnknownError();
  await takeRequest(deps.limiter, 'external-sign-in', address);
  const proof = await clerk.verify(token, deps.clock.nowMs());
  const { tokenHash: keyHash, expiresAtMs } = proof;
  const keyHashes = [subjectHash(deps.masterKey, proof), externalSessionHash(deps.masterKey, proof)];
  if (await anyRemembered(deps.db, { kind: 'CLERK_ENDED', keyHashes, nowMs: deps.clock.nowMs() })) {
    throw new ExternalSignInRefusedError('the session or its user has ended at the provider');
  }
  if (!(await rememberOnce(deps.db, { kind: 'CLERK_TOKEN', keyHash, expiresAtMs }))) {
    throw new ExternalSignInRefusedError('the token was used before');
  }
  return proof;
}
