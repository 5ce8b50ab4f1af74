import type { AppContext } from '../context.ts';
import { BadArgumentError } from '../errors/bad-argument.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { findEvent } from '../live/event-lookup.ts';
import { PAGE_ITEMS_MAX } from '../live/page.ts';
import { eventTypename, parseEventGlobalId, type ShownEvent } from './event.ts';

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

async function loadNode(text: string, { loaders, services }: AppContext): Promise<Node | null> {
  const channelId = parseId('channel', text);
  if (channelId !== undefined) return loaders.channels.load(channelId);
  const streamId = parseId('stream', text);
  if (streamId !== undefined) return loaders.streams.load(streamId);
  const sessionId = parseId('session', text);
  if (sessionId !== undefined) return loaders.sessions.load(sessionId);
  const gapId = parseId('gap', text);
  if (gapId !== undefined) return loaders.gaps.load(gapId);
  const memberId = parseId('member', text);
  if (memberId !== undefined) return loaders.members.load(memberId);
  const eventKey = parseEventGlobalId(text);
  return eventKey === undefined ? null : findEvent(services, eventKey);
}
