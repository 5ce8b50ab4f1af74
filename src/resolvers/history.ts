import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import { decodeEventCursor, encodeEventCursor } from '../events/event-cursor.ts';
import { type EventQuery, listEvents } from '../events/history.ts';
import type { EventType } from '../events/unified-event.ts';
import { parseId } from '../lib/ids.ts';
import type { AudienceMember } from '../live/audience.ts';
import { badCursor } from '../live/page.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { encodedCursor, type ShownEvent } from './event.ts';

/** The arguments of an events connection as they arrive. */
export interface EventArguments extends PageArguments {
  readonly order: 'NEWEST_FIRST' | 'OLDEST_FIRST';
  readonly filter?:
    | {
        readonly types?: readonly EventType[] | null | undefined;
        readonly from?: number | null | undefined;
        readonly to?: number | null | undefined;
        readonly memberId?: string | null | undefined;
        readonly minimumCoins?: number | null | undefined;
        readonly text?: string | null | undefined;
        readonly includeReplays?: boolean | null | undefined;
      }
    | null
    | undefined;
}

export function channelEvents(
  channel: ChannelRow,
  args: EventArguments,
  ctx: AppContext,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: channel.id }, args, ctx);
}

export function streamEvents(
  stream: StreamRow,
  args: EventArguments,
  ctx: AppContext,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: stream.channelId, streamId: stream.id }, args, ctx);
}

export function sessionEvents(
  session: SessionRow,
  args: EventArguments,
  ctx: AppContext,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: session.channelId, sessionId: session.id }, args, ctx);
}

export function memberEvents(
  member: AudienceMember,
  args: EventArguments,
  ctx: AppContext,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: member.channelId, memberId: member.id }, args, ctx);
}

type Scope = Pick<EventQuery, 'channelId' | 'streamId' | 'sessionId' | 'memberId'>;

async function eventsOf(
  scope: Scope,
  args: EventArguments,
  ctx: AppContext,
): Promise<Connection<ShownEvent>> {
  const request = pageRequest(args);
  const after = request.after === null ? undefined : decodeEventCursor(request.after);
  if (request.after !== null && after === undefined) {
    throw badCursor();
  }
  const filter = args.filter ?? {};
  const memberId = filter.memberId == null ? scope.memberId : parseId('member', filter.memberId);
  // An id that names nobody, or somebody else than the list is about, matches nothing.
  const nobody =
    filter.memberId != null && (memberId === undefined || (scope.memberId ?? memberId) !== memberId);
  if (nobody) return connectionOf({ items: [], hasMore: false }, request, encodedCursor);
  const page = await listEvents(ctx.services, {
    ...scope,
    ...(memberId === undefined ? {} : { memberId }),
    ...(filter.types == null ? {} : { types: filter.types }),
    ...(filter.from == null ? {} : { from: filter.from }),
    ...(filter.to == null ? {} : { to: filter.to }),
    ...(filter.minimumCoins == null ? {} : { coinsMin: filter.minimumCoins }),
    ...(filter.text == null ? {} : { text: filter.text }),
    ...(after === undefined ? {} : { after }),
    includeReplays: filter.includeReplays === true,
    order: args.order === 'OLDEST_FIRST' ? 'ASC' : 'DESC',
    first: request.first,
  });
  const scanned = page.scannedThrough === null ? undefined : encodeEventCursor(page.scannedThrough);
  return connectionOf(page, request, encodedCursor, scanned);
}
