import type { Transaction } from 'kysely';
import { revokeClientKeysMadeBy } from '../../db/client-key.ts';
import type { Database } from '../../db/connect.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId, UserId } from '../../lib/ids.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import { replaceOverlayKey } from '../access-keys.ts';

export interface OwnerSecretsDeps {
  readonly masterKey: MasterKey;
  readonly clock: Clock;
}

/** What of a channel opens nothing any more, since somebody who is no owner any longer knew it. */
export interface SecretsEnded {
  /** The channel whose overlay has another URL, or null. */
  readonly overlayKeyReplacedOf: ChannelId | null;
  /** Keys of clients that they had made. */
  readonly clientKeysRevoked: number;
}

/** Nobody went who knew any. */
export const NO_SECRETS: SecretsEnded = { overlayKeyReplacedOf: null, clientKeysRevoked: 0 };

/**
 * Ends what an owner who goes would still open the channel with: the URL of its overlays becomes another one, and the keys of
 * clients that they made are revoked. In the transaction that takes the role from them, under the channel's lock; to be told to
 * everybody after the commit (`notifyAccessChanged(bus, null)`).
 */
export async function endSecretsOf(
  deps: OwnerSecretsDeps,
  tx: Transaction<Database>,
  owner: { readonly channelId: ChannelId; readonly userId: UserId },
): Promise<SecretsEnded> {
  await replaceOverlayKey(deps, tx, owner.channelId);
  const clientKeysRevoked = await revokeClientKeysMadeBy(tx, { ...owner, revokedAt: deps.clock.nowMs() });
  return { overlayKeyReplacedOf: owner.channelId, clientKeysRevoked };
}
