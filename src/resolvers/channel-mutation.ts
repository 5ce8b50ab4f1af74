import { rotateOverlayKey } from '../auth/access-keys.ts';
import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { InvalidHandleError } from '../ingest/handle.ts';
import { parseId } from '../lib/ids.ts';
import { connectChannel, disconnectChannel } from '../live/channels.ts';
import { orRefusal, type Refused } from './refusal.ts';

interface ChannelPayload {
  readonly channel: ChannelRow;
}
interface ChannelInput {
  readonly input: { readonly channelId: string };
}

export function channelConnect(
  _root: unknown,
  { input }: { readonly input: { readonly handle: string } },
  { services }: AppContext,
): Promise<ChannelPayload | Refused<InvalidInputError>> {
  return orRefusal(async () => {
    try {
      return { channel: await connectChannel(services, { handle: input.handle, provider: 'TIKTOK' }) };
    } catch (error) {
      if (!(error instanceof InvalidHandleError)) throw error;
      throw new InvalidInputError([{ path: ['handle'], code: 'INVALID_FORMAT', message: error.message }]);
    }
  }, [InvalidInputError]);
}

export function channelDisconnect(
  _root: unknown,
  { input }: ChannelInput,
  { services }: AppContext,
): Promise<ChannelPayload | Refused<ChannelNotFoundError>> {
  return orRefusal(async () => {
    const id = parseId('channel', input.channelId);
    if (id === undefined) throw new ChannelNotFoundError();
    return { channel: await disconnectChannel(services, id) };
  }, [ChannelNotFoundError]);
}

export function overlayKeyRotate(
  _root: unknown,
  { input }: ChannelInput,
  { services, loaders }: AppContext,
): Promise<ChannelPayload | Refused<ChannelNotFoundError>> {
  return orRefusal(async () => {
    const id = parseId('channel', input.channelId);
    if (id === undefined || !(await rotateOverlayKey(services, id))) throw new ChannelNotFoundError();
    loaders.clear();
    const channel = await loaders.channels.load(id);
    if (channel === null) throw new ChannelNotFoundError();
    return { channel };
  }, [ChannelNotFoundError]);
}
