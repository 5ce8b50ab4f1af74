import { type ChannelPermission, mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/** The row, or null when who asks lacks the permission in its channel: not visible reads as not existing. */
export function visible<Row extends { readonly channelId: ChannelId }>(
  row: Row | null,
  { reader }: AppContext,
  permission: ChannelPermission,
): Row | null {
  return row !== null && mayInChannel(reader, row.channelId, permission) ? row : null;
}
