import { ChannelNotFoundError } from '../../errors/channel-not-found.ts';
import { NotPermittedError } from '../../errors/not-permitted.ts';
import type { ChannelId } from '../../lib/ids.ts';
import { type ChannelPermission, mayInChannel } from '../permissions.ts';
import type { Viewer } from '../viewer.ts';

/**
 * Refuses what the asker's role does not permit in the channel.
 * @throws ChannelNotFoundError for a channel that may not be seen
 * @throws NotPermittedError
 */
export function requireInChannel(viewer: Viewer, channelId: ChannelId, permission: ChannelPermission): void {
  if (!mayInChannel(viewer, channelId, 'CHANNEL_VIEW')) throw new ChannelNotFoundError();
  if (!mayInChannel(viewer, channelId, permission)) throw new NotPermittedError();
}
