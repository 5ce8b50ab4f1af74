import { mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/** Whether who asks may be shown what names people in this channel, or what an overlay shows of them. */
export function mayReadPersonal(
  ctx: AppContext,
  channelId: ChannelId,
  permission: 'PII_READ' | 'PII_SCREEN',
): boolean {
  return mayInChannel(ctx.viewer, channelId, permission);
}
