import { mayInChannel } from '../auth/permissions.ts';
import type { Delivery } from '../bus/port.ts';
import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { StreamRow } from '../db/stream.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import type { EventType } from '../events/unified-event.ts';
import { assert } from '../lib/assert.ts';
import { type ChannelId, parseId } from '../lib/ids.ts';
import type { Watcher } from '../live/channel-feed.ts';
import type { EventWish } from '../live/event-match.ts';
import type { StreamChange } from '../live/stream-changes.ts';
import { liveEvent, type ShownEvent } from './event.ts';

/** What overlays are not told: the provider's unknown messages and our own errors. */
const WITHHELD_FROM_OVERLAYS: ReadonlySet<EventType> = new Set<EventType>(['RAW', 'ERROR']);
const NOTHING_WITHHELD: ReadonlySet<EventType> = new Set<EventType>();
/** A user id no provider gives out: what nobody matches. */
const NOBODY = '';

interface EventReceivedArguments {
  readonly channelId: string;
  readonly filter?:
    | {
        readonly types?: readonly EventType[] | null | undefined;
        readonly minimumCoins?: number | null | undefined;
        readonly memberId?: string | null | undefined;
      }
    | null
    | undefined;
}

export async function subscribeEventReceived(
  _root: unknown,
  args: EventReceivedArguments,
  ctx: AppContext,
): Promise<AsyncIterableIterator<Delivery>> {
  const channelId = await visibleChannel(args.channelId, ctx);
  const wish = await wishOf(args.filter ?? {}, channelId, ctx);
  return ctx.services.live.events({ channelId, wish, watcher: watcherOf(ctx) });
}

/** What one delivery shows. Nothing loaded for an earlier one may be shown again. */
export function deliveredEvent(delivery: Delivery, _args: object, ctx: AppContext): ShownEvent {
  ctx.loaders.clear();
  return liveEvent(delivery.event);
}

export async function subscribeStreamUpdated(
  _root: unknown,
  args: { readonly channelId: string },
  ctx: AppContext,
): Promise<AsyncIterableIterator<StreamChange>> {
  const channelId = await visibleChannel(args.channelId, ctx);
  return ctx.services.live.streamChanges({ channelId, watcher: watcherOf(ctx) });
}

/** @see deliveredEvent */
export function deliveredChange(change: StreamChange, _args: object, ctx: AppContext): StreamChange {
  ctx.loaders.clear();
  return change;
}

export async function streamUpdateChannel(
  change: StreamChange,
  _args: object,
  ctx: AppContext,
): Promise<ChannelRow> {
  const channel = await ctx.loaders.channels.load(change.channelId);
  assert(channel !== null, 'a watched channel exists'); // channels are not deleted
  return channel;
}

export function streamUpdateStream(
  change: StreamChange,
  _args: object,
  ctx: AppContext,
): Promise<StreamRow | null> {
  return ctx.loaders.latestStreams.load(change.channelId);
}

/** @throws ChannelNotFoundError, the same for a channel that is not there and one that may not be seen */
async function visibleChannel(text: string, ctx: AppContext): Promise<ChannelId> {
  const id = parseId('channel', text);
  if (id === undefined || !mayInChannel(ctx.viewer, id, 'LIVE_READ')) throw new ChannelNotFoundError();
  if ((await ctx.loaders.channels.load(id)) === null) throw new ChannelNotFoundError();
  return id;
}

function watcherOf(ctx: AppContext): Watcher {
  const { requestId, connectionId, viewer } = ctx;
  return { subscriptionId: requestId, connectionId, overlay: viewer.kind === 'OVERLAY' };
}

async function wishOf(
  filter: NonNullable<EventReceivedArguments['filter']>,
  channelId: ChannelId,
  ctx: AppContext,
): Promise<EventWish> {
  return {
    types: filter.types ? new Set(filter.types) : null,
    withheld: ctx.viewer.kind === 'OVERLAY' ? WITHHELD_FROM_OVERLAYS : NOTHING_WITHHELD,
    coinsMin: filter.minimumCoins ?? null,
    userId: filter.memberId ? await userIdOf(filter.memberId, channelId, ctx) : null,
  };
}

/** The member's id at the provider, by which live events name them; nobody's for a member who may not be seen. */
async function userIdOf(memberId: string, channelId: ChannelId, ctx: AppContext): Promise<string> {
  const id = parseId('member', memberId);
  if (id === undefined || !mayInChannel(ctx.viewer, channelId, 'PII_READ')) return NOBODY;
  const member = await ctx.loaders.members.load(id);
  return member?.channelId === channelId ? member.user.userId : NOBODY;
}
