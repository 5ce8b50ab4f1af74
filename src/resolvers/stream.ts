import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import type { GapRow } from '../db/stream-gap.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { encodeTimeCursor } from '../live/page.ts';
import { listGaps, listSessions } from '../live/streams.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { visible } from './visible.ts';

export async function queryStream(
  _root: unknown,
  args: { readonly id: string },
  ctx: AppContext,
): Promise<StreamRow | null> {
  const id = parseId('stream', args.id);
  return id === undefined ? null : visible(await ctx.loaders.streams.load(id), ctx, 'CHANNEL_VIEW');
}

export async function streamChannel(stream: StreamRow, _args: object, ctx: AppContext): Promise<ChannelRow> {
  const channel = await ctx.loaders.channels.load(stream.channelId);
  assert(channel !== null, 'a stream has its channel'); // foreign key
  return channel;
}

export async function streamSessions(
  stream: StreamRow,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<SessionRow>> {
  const request = pageRequest(args);
  const page = await listSessions(ctx.services, { ...request, streamId: stream.id });
  return connectionOf(page, request, (session) =>
    encodeTimeCursor({ at: session.startedAt, id: session.id }),
  );
}

export async function streamGaps(
  stream: StreamRow,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<GapRow>> {
  const request = pageRequest(args);
  const page = await listGaps(ctx.services, { ...request, streamId: stream.id });
  return connectionOf(page, request, (gap) => encodeTimeCursor({ at: gap.from, id: gap.id }));
}

export async function gapStream(gap: GapRow, _args: object, ctx: AppContext): Promise<StreamRow> {
  const stream = await ctx.loaders.streams.load(gap.streamId);
  assert(stream !== null, 'a gap has its stream'); // foreign key
  return stream;
}
