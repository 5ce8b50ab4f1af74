import { overlayKey } from '../auth/access-keys.ts';
import { mayInChannel, mayOnPlatform } from '../auth/permissions.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { StreamRow } from '../db/stream.ts';
import type { Provider } from '../events/unified-event.ts';
import { type ChannelId, parseId } from '../lib/ids.ts';
import { type AudienceMember, findMembers } from '../live/audience.ts';
import { findChannel, listChannels } from '../live/channels.ts';
import { encodeTimeCursor } from '../live/page.ts';
import { listStreams } from '../live/streams.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { mayReadPersonal } from './redaction.ts';

export async function queryChannel(
  _root: unknown,
  args: { readonly id: string },
  ctx: AppContext,
): Promise<ChannelRow | null> {
  const id = parseId('channel', args.id);
  return id === undefined || !mayInChannel(ctx.viewer, id, 'CHANNEL_VIEW')
    ? null
    : ctx.loaders.channels.load(id);
}

export async function queryChannelByHandle(
  _root: unknown,
  args: { readonly handle: string; readonly provider: Provider },
  ctx: AppContext,
): Promise<ChannelRow | null> {
  const channel = await findChannel(ctx.services, args);
  return channel !== null && mayInChannel(ctx.viewer, channel.id, 'CHANNEL_VIEW') ? channel : null;
}

export async function queryChannels(
  _root: unknown,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<ChannelRow>> {
  const request = pageRequest(args);
  const only = channelsOf(ctx.viewer);
  return connectionOf(await listChannels(ctx.services, { ...request, only }), request, ({ id }) => id);
}

/** The channels that may be listed to somebody; null: every one. */
function channelsOf(viewer: Viewer): readonly ChannelId[] | null {
  if (viewer.kind === 'OPERATOR' || mayOnPlatform(viewer, 'CHANNELS_ADMIN')) return null;
  switch (viewer.kind) {
    case 'ANONYMOUS':
      return [];
    case 'OVERLAY':
    case 'CLIENT':
      return [viewer.channelId];
    case 'USER':
      return [...new Set([...viewer.memberships.keys(), ...viewer.staffAccess])];
  }
}

export function channelOverlaysConnected(
  channel: ChannelRow,
  _args: object,
  ctx: AppContext,
): Promise<number> {
  return ctx.services.bus.presence.count({ channelId: channel.id, kind: 'overlay' });
}

export function channelSubscribers(channel: ChannelRow, _args: object, ctx: AppContext): Promise<number> {
  return ctx.services.bus.presence.count({ channelId: channel.id, kind: 'subscriber' });
}

export async function channelStreams(
  channel: ChannelRow,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<StreamRow>> {
  const request = pageRequest(args);
  const page = await listStreams(ctx.services, { ...request, channelId: channel.id });
  return connectionOf(page, request, (stream) => encodeTimeCursor({ at: stream.startedAt, id: stream.id }));
}

export async function channelMembers(
  channel: ChannelRow,
  args: { readonly handle: string },
  ctx: AppContext,
): Promise<readonly AudienceMember[]> {
  // Whether somebody was there is told by their handle alone.
  if (!(await mayReadPersonal(ctx, channel.id, 'PII_READ'))) return [];
  return findMembers(ctx.services, { channelId: channel.id, handle: args.handle });
}

/** Everything the overlay needs stands in the fragment, which browsers do not send. */
export function channelOverlayUrl(channel: ChannelRow, _args: object, { services }: AppContext): string {
  const key = overlayKey(services.masterKey, channel.id, channel.overlayKeyVersion);
  return `${services.publicUrl}/overlay/#channel=${channel.id}&key=${key}`;
}
