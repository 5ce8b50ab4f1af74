import type { Kysely } from 'kysely';
import { putOverlayKey } from '../auth/access-keys.ts';
import type { EventBus } from '../bus/port.ts';
import {
  type ChannelRow,
  selectChannelByHandle,
  selectChannelPage,
  selectChannels,
  updateChannelUnwanted,
  upsertWantedChannel,
} from '../db/channel.ts';
import type { Database } from '../db/connect.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import type { Provider } from '../events/unified-event.ts';
import { handleOf, parseHandle } from '../ingest/handle.ts';
import type { Clock } from '../lib/clock.ts';
import { type ChannelId, newId, parseId } from '../lib/ids.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import { badCursor, type Page, pageOf } from './page.ts';

/** The bus topic on which ingest hears that a channel's wish changed. The payload is the channel's id. */
export const CHANNELS_TOPIC = 'channels';

interface WriteDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly masterKey: MasterKey;
}

/**
 * Wants the streamer of this handle connected: makes the channel if it is new, and tells ingest. Connecting itself
 * happens in the ingest process; calling it again changes nothing.
 * @throws InvalidHandleError when the text cannot be a handle.
 */
export async function connectChannel(
  deps: WriteDeps,
  request: { readonly handle: string; readonly provider: Provider },
): Promise<ChannelRow> {
  const handle = parseHandle(request.handle);
  const id = await deps.db.transaction().execute(async (tx) => {
    const channel = await upsertWantedChannel(tx, {
      id: newId('channel', deps.clock.nowMs()),
      provider: request.provider,
      handle,
    });
    if (channel.created) await putOverlayKey(deps, tx, channel);
    return channel.id;
  });
  await deps.bus.notify(CHANNELS_TOPIC, id);
  const [channel] = await selectChannels(deps.db, [id]);
  if (channel === undefined) throw new ChannelNotFoundError();
  return channel;
}

/** Wants the channel disconnected, and tells ingest. What is stored stays. @throws ChannelNotFoundError */
export async function disconnectChannel(deps: WriteDeps, channelId: ChannelId): Promise<ChannelRow> {
  if (!(await updateChannelUnwanted(deps.db, channelId))) throw new ChannelNotFoundError();
  await deps.bus.notify(CHANNELS_TOPIC, channelId);
  const [channel] = await selectChannels(deps.db, [channelId]);
  if (channel === undefined) throw new ChannelNotFoundError();
  return channel;
}

/** The channel of a handle (as a person types it), or null. */
export async function findChannel(
  deps: { readonly db: Kysely<Database> },
  key: { readonly provider: Provider; readonly handle: string },
): Promise<ChannelRow | null> {
  const handle = handleOf(key.handle);
  if (handle === null) return null; // nobody has it, and PostgreSQL would choke on some (U+0000)
  return (await selectChannelByHandle(deps.db, { provider: key.provider, handle })) ?? null;
}

/**
 * The channels in the order they were made; with `only`, of these. The cursor is the last channel's id.
 * @throws BadArgumentError on a bad cursor
 */
export async function listChannels(
  deps: { readonly db: Kysely<Database> },
  query: {
    readonly first: number;
    readonly after: string | null;
    readonly only?: readonly ChannelId[] | null;
  },
): Promise<Page<ChannelRow>> {
  const afterId = query.after === null ? null : parseId('channel', query.after);
  if (afterId === undefined) {
    throw badCursor();
  }
  const page = { afterId, limit: query.first + 1, only: query.only ?? null };
  return pageOf(await selectChannelPage(deps.db, page), query.first);
}
