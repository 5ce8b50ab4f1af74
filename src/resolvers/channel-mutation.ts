import { rotateOverlayKey } from '../auth/access-keys.ts';
import { ChannelTakenError, EmailUnverifiedError, TooManyChannelsError } from '../auth/members/errors.ts';
import { requireInChannel } from '../auth/members/require.ts';
import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import { InvalidHandleError } from '../ingest/handle.ts';
import { type ChannelId, parseId } from '../lib/ids.ts';
import { connectChannel, disconnectChannel } from '../live/channels.ts';
import { claimChannel } from '../live/claim.ts';
import { nowInChannel } from './own-role.ts';
import { orRefusal, type Refused } from './refusal.ts';

interface ChannelPayload {
  readonly channel: ChannelRow;
}
interface ChannelInput {
  readonly input: { readonly channelId: string };
}
type ConnectRefusal =
  | InvalidInputError
  | EmailUnverifiedError
  | TooManyChannelsError
  | ChannelTakenError
  | NotPermittedError;
type ManageRefusal = ChannelNotFoundError | NotPermittedError;

export function channelConnect(
  _root: unknown,
  { input }: { readonly input: { readonly handle: string } },
  ctx: AppContext,
): Promise<ChannelPayload | Refused<ConnectRefusal>> {
  return orRefusal<ChannelPayload, ConnectRefusal>(async () => {
    try {
      return { channel: await connected(input.handle, ctx) };
    } catch (error) {
      if (!(error instanceof InvalidHandleError)) throw error;
      throw new InvalidInputError([{ path: ['handle'], code: 'INVALID_FORMAT', message: error.message }]);
    }
  }, [InvalidInputError, EmailUnverifiedError, TooManyChannelsError, ChannelTakenError, NotPermittedError]);
}

async function connected(handle: string, ctx: AppContext): Promise<ChannelRow> {
  const { viewer, services } = ctx;
  if (viewer.kind !== 'USER') return connectChannel(services, { handle, provider: 'TIKTOK' });
  const { channel, isNew } = await claimChannel(services, viewer, { handle, provider: 'TIKTOK' });
  if (isNew) nowInChannel(ctx, channel.id, 'OWNER');
  return channel;
}

export function channelDisconnect(
  _root: unknown,
  { input }: ChannelInput,
  { viewer, services }: AppContext,
): Promise<ChannelPayload | Refused<ManageRefusal>> {
  return orRefusal<ChannelPayload, ManageRefusal>(async () => {
    const id = parsedChannelId(input.channelId);
    requireInChannel(viewer, id, 'CHANNEL_MANAGE');
    return { channel: await disconnectChannel(services, id) };
  }, [ChannelNotFoundError, NotPermittedError]);
}

export function overlayKeyRotate(
  _root: unknown,
  { input }: ChannelInput,
  { viewer, services, loaders }: AppContext,
): Promise<ChannelPayload | Refused<ManageRefusal>> {
  return orRefusal<ChannelPayload, ManageRefusal>(async () => {
    const id = parsedChannelId(input.channelId);
    requireInChannel(viewer, id, 'OVERLAY_MANAGE');
    if (!(await rotateOverlayKey(services, id))) throw new ChannelNotFoundError();
    loaders.clear();
    const channel = await loaders.channels.load(id);
    if (channel === null) throw new ChannelNotFoundError();
    return { channel };
  }, [ChannelNotFoundError, NotPermittedError]);
}

/** The channel of an input. @throws ChannelNotFoundError when the text is not the id of one */
export function parsedChannelId(text: string): ChannelId {
  const id = parseId('channel', text);
  if (id === undefined) throw new ChannelNotFoundError();
  return id;
}
