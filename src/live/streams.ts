import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { type SessionRow, selectSessionPage } from '../db/session.ts';
import { type StreamRow, selectStreamPage } from '../db/stream.ts';
import { type GapRow, selectGapPage } from '../db/stream-gap.ts';
import type { ChannelId, StreamId } from '../lib/ids.ts';
import { decodeTimeCursor, type Page, pageOf } from './page.ts';

interface ReadDeps {
  readonly db: Kysely<Database>;
}

interface PageRequest {
  /** 1 to 100, checked by the caller. */
  readonly first: number;
  readonly after: string | null;
}

/** A channel's streams, newest first. @throws BadArgumentError on a cursor of another list */
export async function listStreams(
  deps: ReadDeps,
  query: PageRequest & { readonly channelId: ChannelId },
): Promise<Page<StreamRow>> {
  const after = decodeTimeCursor('stream', query.after);
  const page = { channelId: query.channelId, after, limit: query.first + 1 };
  return pageOf(await selectStreamPage(deps.db, page), query.first);
}

/** A stream's sessions, newest first. @throws BadArgumentError on a cursor of another list */
export async function listSessions(
  deps: ReadDeps,
  query: PageRequest & { readonly streamId: StreamId },
): Promise<Page<SessionRow>> {
  const after = decodeTimeCursor('session', query.after);
  const page = { streamId: query.streamId, after, limit: query.first + 1 };
  return pageOf(await selectSessionPage(deps.db, page), query.first);
}

/** A stream's gaps, oldest first. @throws BadArgumentError on a cursor of another list */
export async function listGaps(
  deps: ReadDeps,
  query: PageRequest & { readonly streamId: StreamId },
): Promise<Page<GapRow>> {
  const after = decodeTimeCursor('gap', query.after);
  const page = { streamId: query.streamId, after, limit: query.first + 1 };
  return pageOf(await selectGapPage(deps.db, page), query.first);
}
