import type { Kysely, Transaction } from 'kysely';
import { putOverlayKey } from '../auth/access-keys.ts';
import { notifyAccessChanged } from '../auth/access-topic.ts';
import { ChannelTakenError, EmailUnverifiedError } from '../auth/members/errors.ts';
import { lockChannelFor, lockKnownUser, requireRoomForChannel } from '../auth/members/guards.ts';
import type { SignedInUser } from '../auth/viewer.ts';
import type { EventBus } from '../bus/port.ts';
import {
  type ChannelRow,
  insertWantedChannel,
  selectChannelByHandle,
  selectChannels,
  upsertWantedChannel,
} from '../db/channel.ts';
import { upsertChannelMember } from '../db/channel-member.ts';
import type { Database } from '../db/connect.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import type { Provider } from '../events/unified-event.ts';
import { parseHandle } from '../ingest/handle.ts';
import type { Clock } from '../lib/clock.ts';
import { type ChannelId, newId } from '../lib/ids.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import { CHANNELS_TOPIC } from './channels.ts';

interface ClaimDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly masterKey: MasterKey;
}

interface Handle {
  readonly provider: Provider;
  readonly handle: string;
}

/**
 * Wants the streamer of this handle connected, as a user: who is the first to is the owner of the channel; afterwards only
 * who may manage it. Ingest is told; calling it again changes nothing.
 * @throws InvalidHandleError when the text cannot be a handle.
 * @throws EmailUnverifiedError, TooManyChannelsError
 * @throws ChannelTakenError when somebody else has it
 * @throws NotPermittedError for a member who may not manage it
 */
export async function claimChannel(
  deps: ClaimDeps,
  viewer: SignedInUser,
  request: Handle,
): Promise<{ readonly channel: ChannelRow; readonly isNew: boolean }> {
  const wanted = { provider: request.provider, handle: parseHandle(request.handle) };
  const { id, isNew } = await deps.db.transaction().execute(async (tx) => {
    const user = await lockKnownUser(tx, viewer.userId);
    if (!user.emailVerified) throw new EmailUnverifiedError();
    const known = await selectChannelByHandle(tx, wanted);
    if (known === undefined) return { id: await ownNewChannel(deps, tx, viewer, wanted), isNew: true };
    await requireMayManage(tx, viewer, known.id);
    await upsertWantedChannel(tx, { ...wanted, id: known.id });
    return { id: known.id, isNew: false };
  });
  if (isNew) await notifyAccessChanged(deps.bus, viewer.userId);
  await deps.bus.notify(CHANNELS_TOPIC, id);
  const [channel] = await selectChannels(deps.db, [id]);
  if (channel === undefined) throw new ChannelNotFoundError();
  return { channel, isNew };
}

async function ownNewChannel(
  deps: ClaimDeps,
  tx: Transaction<Database>,
  { userId }: SignedInUser,
  wanted: Handle,
): Promise<ChannelId> {
  await requireRoomForChannel(tx, userId);
  const nowMs = deps.clock.nowMs();
  const id = newId('channel', nowMs);
  if (!(await insertWantedChannel(tx, { ...wanted, id }))) throw new ChannelTakenError(); // somebody was faster
  await putOverlayKey(deps, tx, { id, overlayKeyVersion: 1 });
  await upsertChannelMember(tx, { channelId: id, userId, role: 'OWNER', since: nowMs });
  return id;
}

/** A streamer's handle is public, so it is no secret that a channel of it exists: only whose it is. */
async function requireMayManage(
  tx: Transaction<Database>,
  viewer: SignedInUser,
  channelId: ChannelId,
): Promise<void> {
  try {
    await lockChannelFor(
      tx,
      { ...viewer, platformRole: 'USER' },
      { channelId, permission: 'CHANNEL_MANAGE' },
    );
  } catch (error) {
    throw error instanceof ChannelNotFoundError ? new ChannelTakenError() : error;
  }
}
