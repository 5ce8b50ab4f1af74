import { mayInChannel, readsAsStaff } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/**
 * Whether who asks may be shown what names people in this channel, or what an overlay shows of them. For staff it resolves once the
 * entry that they looked is in the audit log, one a request and channel: where that cannot be written, nothing is shown.
 * Everybody else need not wait.
 */
export function mayReadPersonal(
  ctx: AppContext,
  channelId: ChannelId,
  permission: 'PII_READ' | 'PII_SCREEN',
): boolean | Promise<true> {
  const { reader } = ctx;
  if (!mayInChannel(reader, channelId, permission)) return false;
  return readsAsStaff(reader, channelId) ? notedRead(ctx, channelId) : true;
}

/** Every field of the request waits for the same entry, and fails with it. */
function notedRead(ctx: AppContext, channelId: ChannelId): Promise<true> {
  const { viewer, requestInfo, requestId, services, staffReads } = ctx;
  const known = staffReads.get(channelId);
  if (known !== undefined) return known;
  const read = { viewer, channelId, requestId, address: requestInfo.address };
  const noted = services.audit.recordPiiRead(read).then(() => true as const);
  staffReads.set(channelId, noted);
  return noted;
}
