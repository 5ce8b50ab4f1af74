import type { AppContext } from '../context.ts';
import type { ReplayRow, SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import { assert } from '../lib/assert.ts';
import { parseId } from '../lib/ids.ts';
import { visible } from './visible.ts';

export async function querySession(
  _root: unknown,
  args: { readonly id: string },
  ctx: AppContext,
): Promise<SessionRow | null> {
  const id = parseId('session', args.id);
  return id === undefined ? null : visible(await ctx.loaders.sessions.load(id), ctx, 'HISTORY_READ');
}

export async function sessionStream(session: SessionRow, _args: object, ctx: AppContext): Promise<StreamRow> {
  const stream = await ctx.loaders.streams.load(session.streamId);
  assert(stream !== null, 'a session has its stream'); // foreign key
  return stream;
}

export function replayOf(replay: ReplayRow, _args: object, ctx: AppContext): Promise<SessionRow | null> {
  return ctx.loaders.sessions.load(replay.of);
}
