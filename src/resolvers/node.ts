import { mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import { BadArgumentError } from '../errors/bad-argument.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { findEvent } from '../live/event-lookup.ts';
import { PAGE_ITEMS_MAX } from '../live/page.ts';
import { eventTypename, parseEventGlobalId, type ShownEvent } from './event.ts';
import { visible } from './visible.ts';

/** Anything with an id of its own. */
export type Node = { readonly id: string } | ShownEvent;

const TYPENAMES: Readonly<Record<string, string>> = {
  chn: 'Channel',
  str: 'Stream',
  ses: 'Session',
  gap: 'Gap',
  mem: 'AudienceMember',
};

export function nodeTypename(node: Node): string {
  if ('event' in node) return eventTypename(node);
  const typename = TYPENAMES[node.id.slice(0, 3)];
  assert(typename !== undefined, 'every node has a type');
  return typename;
}

export function queryNode(
  _root: unknown,
  args: { readonly id: string },
  ctx: AppContext,
): Promise<Node | null> {
  return loadNode(args.id, ctx);
}

export async function queryNodes(
  _root: unknown,
  args: { readonly ids: readonly string[] },
  ctx: AppContext,
): Promise<readonly (Node | null)[]> {
  if (args.ids.length > PAGE_ITEMS_MAX) {
    throw new BadArgumentError('ids', `ids takes ${PAGE_ITEMS_MAX} at most.`);
  }
  return Promise.all(args.ids.map((id) => loadNode(id, ctx)));
}

async function loadNode(text: string, ctx: AppContext): Promise<Node | null> {
  const { loaders, services, viewer } = ctx;
  const channelId = parseId('channel', text);
  if (channelId !== undefined)
    return mayInChannel(viewer, channelId, 'CHANNEL_VIEW') ? loaders.channels.load(channelId) : null;
  const streamId = parseId('stream', text);
  if (streamId !== undefined) return visible(await loaders.streams.load(streamId), ctx, 'CHANNEL_VIEW');
  const sessionId = parseId('session', text);
  if (sessionId !== undefined) return visible(await loaders.sessions.load(sessionId), ctx, 'HISTORY_READ');
  const gapId = parseId('gap', text);
  if (gapId !== undefined) return visible(await loaders.gaps.load(gapId), ctx, 'HISTORY_READ');
  const memberId = parseId('member', text);
  if (memberId !== undefined) return visible(await loaders.members.load(memberId), ctx, 'HISTORY_READ');
  const eventKey = parseEventGlobalId(text);
  const shown = eventKey === undefined ? null : await findEvent(services, eventKey);
  return shown !== null && mayInChannel(viewer, shown.event.channelId, 'HISTORY_READ') ? shown : null;
}
