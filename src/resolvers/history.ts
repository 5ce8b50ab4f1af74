import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import { UserError } from '../errors/errors.ts';
import { decodeEventCursor, encodeEventCursor } from '../events/event-cursor.ts';
import { type EventQuery, listEvents } from '../events/history.ts';
import type { SealedFields } from '../events/stored-event.ts';
import type { EventType } from '../events/unified-event.ts';
import { parseId } from '../lib/ids.ts';
import type { AudienceMember } from '../live/audience.ts';
import { badCursor } from '../live/page.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { encodedCursor, type ShownEvent } from './event.ts';
import { mayReadPersonal } from './redaction.ts';
import { namesBelow, type SelectionInfo } from './selection.ts';

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
  info: SelectionInfo,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: channel.id }, args, ctx, info);
}

export function streamEvents(
  stream: StreamRow,
  args: EventArguments,
  ctx: AppContext,
  info: SelectionInfo,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: stream.channelId, streamId: stream.id }, args, ctx, info);
}

export function sessionEvents(
  session: SessionRow,
  args: EventArguments,
  ctx: AppContext,
  info: SelectionInfo,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: session.channelId, sessionId: session.id }, args, ctx, info);
}

export function memberEvents(
  member: AudienceMember,
  args: EventArguments,
  ctx: AppContext,
  info: SelectionInfo,
): Promise<Connection<ShownEvent>> {
  return eventsOf({ channelId: member.channelId, memberId: member.id }, args, ctx, info);
}

/** Texts are searched by who may read them. */
class PersonalSearchError extends UserError {
  override readonly name = 'PersonalSearchError';
  readonly code = 'FORBIDDEN';

  constructor() {
    super('Texts may be searched by who may read them.');
  }
}

type Scope = Pick<EventQuery, 'channelId' | 'streamId' | 'sessionId' | 'memberId'>;

async function eventsOf(
  scope: Scope,
  args: EventArguments,
  ctx: AppContext,
  info: SelectionInfo,
): Promise<Connection<ShownEvent>> {
  const request = pageRequest(args);
  const after = request.after === null ? undefined : decodeEventCursor(request.after);
  if (request.after !== null && after === undefined) throw badCursor();
  const { memberId: memberText, minimumCoins, includeReplays, ...filter } = args.filter ?? {};
  // What may not be read may not be guessed word by word either.
  if (filter.text && !(await mayReadPersonal(ctx, scope.channelId, 'PII_READ'))) {
    throw new PersonalSearchError();
  }
  const memberId = memberText ? parseId('member', memberText) : scope.memberId;
  // An id that names nobody, or somebody else than the list is about, matches nothing.
  const nobody = memberText && (memberId === undefined || (scope.memberId ?? memberId) !== memberId);
  if (nobody) return connectionOf({ items: [], hasMore: false }, request, encodedCursor);
  const page = await listEvents(ctx.services, {
    ...scope,
    ...withoutNulls({ ...filter, memberId, after, coinsMin: minimumCoins }),
    includeReplays: includeReplays === true,
    order: args.order === 'OLDEST_FIRST' ? 'ASC' : 'DESC',
    first: request.first,
    fields: sealedFieldsOf(info),
  });
  const scanned = page.scannedThrough === null ? undefined : encodeEventCursor(page.scannedThrough);
  return connectionOf(page, request, encodedCursor, scanned);
}

/** Fields of events that show something of the sealed part of a payload. */
const SEALED_FIELDS = [
  'message',
  'participants',
  'aliases',
  'externalIds',
  'receiverExternalId',
  'dataJson',
  'stack',
];

/** What of the events has to be decrypted for the fields that were asked for: each costs a key per person. */
function sealedFieldsOf(info: SelectionInfo): SealedFields {
  const names = namesBelow(info);
  return { users: names.has('actor'), texts: SEALED_FIELDS.some((name) => names.has(name)) };
}

function withoutNulls<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const present = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(present) as { [K in keyof T]?: NonNullable<T[K]> }; // what is left is not null
}
