import type { AccessKeyId, ChannelId } from '../lib/ids.ts';

/**
 * Who is asking. Until accounts exist there are two: the owner of the installation, and an overlay, which may watch
 * one channel and nothing else.
 */
export type Viewer =
  | { readonly kind: 'OWNER'; readonly accessKeyId: AccessKeyId }
  | { readonly kind: 'OVERLAY'; readonly accessKeyId: AccessKeyId; readonly channelId: ChannelId };

/** Whether anything of this channel may be shown to the viewer. What may not be shown reads as not existing. */
export function canSeeChannel(viewer: Viewer, channelId: ChannelId): boolean {
  return viewer.kind === 'OWNER' || viewer.channelId === channelId;
}
