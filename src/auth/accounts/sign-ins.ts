import type { SignInId, UserId } from '../../lib/ids.ts';
import { revokeFamilies } from '../tokens/token-families.ts';
import type { AccountDeps } from './deps.ts';

/** Ends the user's sign-ins, all but one, and the tokens of their programs: what was let in under the old password. */
export async function endSignIns(
  deps: AccountDeps,
  userId: UserId,
  options: { readonly except: SignInId | null },
): Promise<void> {
  await deps.sessions.revokeAll(userId, options);
  await revokeFamilies(deps, { userId, id: null });
}
