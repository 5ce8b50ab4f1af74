import type { Access } from '../auth/access.ts';
import type { Credential } from '../auth/credential-kind.ts';
import type { KnownViewer } from '../auth/viewer.ts';
import { addressBlock } from '../limits/address.ts';
import type { Deposits } from '../limits/deposits.ts';
import { CREDENTIAL_FAILURES } from './limits.ts';

/**
 * Who holds the credential; null when it opens nothing. Each one that opens nothing is counted against the address it came from, and
 * once there were too many, none that is new to us is looked at: it would cost a statement. Those that have
 * opened something lately are.
 * @throws RateLimitedError
 */
export type Authenticate = (credential: Credential, address: string | null) => Promise<KnownViewer | null>;

/** Authentication that cannot be had for free by who comes with nothing that is good. */
export function createAuthenticate(deps: {
  readonly access: Access;
  readonly deposits: Deposits;
}): Authenticate {
  const { access, deposits } = deps;
  return async (credential, address) => {
    if (!access.isStrange(credential)) return access.authenticate(credential);
    const key = `refused credential ${addressBlock(address)}`;
    const deposit = deposits.take({ key, points: 1, rule: CREDENTIAL_FAILURES });
    let viewer: KnownViewer | null;
    try {
      viewer = await access.authenticate(credential);
    } catch (error) {
      // That we could not look is not their fault.
      deposit.release();
      throw error;
    }
    if (viewer === null) await deposit.forfeit();
    else deposit.release();
    return viewer;
  };
}
