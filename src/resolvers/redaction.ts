import { mayInChannel, readsAsStaff } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/** Whether who asks may be shown what names people in this channel, or what an overlay shows of them. Staff who do leave an entry. */
export function mayReadPersonal(
  ctx: AppContext,
  channelId: ChannelId,
  permission: 'PII_READ' | 'PII_SCREEN',
): boolean {
  const { reader, services, spent } = ctx;
  if (!mayInChannel(reader, channelId, permission)) return false;
  const once = `personalDataRead ${channelId}`;
  if (readsAsStaff(reader, channelId) && !spent.has(once)) {
    spent.add(once);
    const { viewer, requestInfo, requestId } = ctx;
    services.audit.recordPiiRead({ viewer, channelId, requestId, address: requestInfo.address });
  }
  return true;
}
