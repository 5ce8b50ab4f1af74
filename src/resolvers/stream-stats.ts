import type { AppContext } from '../context.ts';
import type { StreamRow } from '../db/stream.ts';
import {
  decodeGifterCursor,
  encodeGifterCursor,
  type Gifter,
  type StreamMinute,
  type StreamTotals,
  streamMinutes,
  topGifters,
} from '../events/stream-stats.ts';
import { assert } from '../lib/assert.ts';
import type { AudienceMember } from '../live/audience.ts';
import { badCursor } from '../live/page.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';

export async function streamTotals(stream: StreamRow, _args: object, ctx: AppContext): Promise<StreamTotals> {
  const totals = await ctx.loaders.streamTotals.load(stream.id);
  assert(totals !== null, 'every stream has totals'); // zeros, when nothing is stored
  return totals;
}

export async function streamTopGifters(
  stream: StreamRow,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<Gifter>> {
  const request = pageRequest(args);
  const after = request.after === null ? undefined : decodeGifterCursor(request.after);
  if (request.after !== null && after === undefined) throw badCursor();
  const page = await topGifters(ctx.services, {
    streamId: stream.id,
    first: request.first,
    ...(after === undefined ? {} : { after }),
    users: false, // members are loaded when they are asked for
  });
  return connectionOf(page, request, encodeGifterCursor);
}

export function gifterMember(gifter: Gifter, _args: object, ctx: AppContext): Promise<AudienceMember | null> {
  return ctx.loaders.members.load(gifter.memberId);
}

interface MinuteArguments extends PageArguments {
  readonly from?: number | null | undefined;
  readonly to?: number | null | undefined;
}

export async function streamMinuteConnection(
  stream: StreamRow,
  args: MinuteArguments,
  ctx: AppContext,
): Promise<Connection<StreamMinute>> {
  const request = pageRequest(args);
  const from = Math.max(args.from ?? 0, request.after === null ? 0 : decodeMinuteCursor(request.after) + 1);
  const minutes = await streamMinutes(ctx.services, { streamId: stream.id, from, to: args.to ?? TIME_MAX });
  const page = { items: minutes.slice(0, request.first), hasMore: minutes.length > request.first };
  return connectionOf(page, request, ({ minute }) => encodeMinuteCursor(minute));
}

/** Later than any event, and what PostgreSQL can hold: the year 9999. Milliseconds since the Unix epoch. */
const TIME_MAX = Date.UTC(9999, 11, 31);

function encodeMinuteCursor(minute: number): string {
  return Buffer.from(`m1:${minute}`).toString('base64url');
}

/** @throws BadArgumentError */
function decodeMinuteCursor(text: string): number {
  const match = /^m1:(\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (match === null) throw badCursor();
  return Number(match[1]);
}
