import type { Transaction } from 'kysely';
import { lockChannelFor } from '../auth/members/guards.ts';
import type { Viewer } from '../auth/viewer.ts';
import { type ClientRow, lockClient, selectClient } from '../db/client.ts';
import type { Database } from '../db/connect.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import type { ClientId } from '../lib/ids.ts';
import { ClientNotFoundError } from './errors.ts';

/**
 * Locks a client that is to be changed, and holds who asks against their role as it is now: an owner who was taken out a moment
 * ago must not make themselves a key that lasts a year. What may not be managed reads as not existing.
 * @throws ClientNotFoundError
 */
export async function lockManagedClient(
  tx: Transaction<Database>,
  viewer: Viewer,
  id: ClientId,
): Promise<ClientRow> {
  const known = await selectClient(tx, id);
  if (known === undefined) throw new ClientNotFoundError();
  try {
    await lockChannelFor(tx, viewer, { channelId: known.channelId, permission: 'CLIENTS_MANAGE' });
  } catch (error) {
    if (error instanceof ChannelNotFoundError || error instanceof NotPermittedError) {
      throw new ClientNotFoundError();
    }
    throw error;
  }
  const client = await lockClient(tx, id);
  if (client === undefined) throw new ClientNotFoundError();
  return client;
}
