import { type Kysely, sql } from 'kysely';
import { type ChannelId, type GapId, idFromUuid, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** Why a stretch of a stream may be incomplete. */
export const GAP_REASONS = ['SILENCE', 'DISCONNECTED', 'RESTART', 'OVERLOAD'] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** A stretch of a stream of which we cannot claim to have everything. Times are milliseconds since the Unix epoch. */
export interface GapRow {
  readonly id: GapId;
  readonly streamId: StreamId;
  readonly channelId: ChannelId;
  readonly from: number;
  /** Null while it is open. */
  readonly to: number | null;
  readonly reason: GapReason;
}

interface RawGap {
  id: string;
  stream_id: string;
  channel_id: string;
  from_ms: number;
  to_ms: number | null;
  reason: GapReason;
}

const columns = sql`
  id, stream_id, channel_id, reason,
  (extract(epoch from from_at) * 1000)::float8 as from_ms,
  (extract(epoch from to_at) * 1000)::float8 as to_ms`;

function gapOf(row: RawGap): GapRow {
  return {
    id: idFromUuid('gap', row.id),
    streamId: idFromUuid('stream', row.stream_id),
    channelId: idFromUuid('channel', row.channel_id),
    from: row.from_ms,
    to: row.to_ms,
    reason: row.reason,
  };
}

/** The gaps with these ids, in no particular order; unknown ids are left out. */
export async function selectGaps(db: Kysely<Database>, ids: readonly GapId[]): Promise<readonly GapRow[]> {
  const result = await sql<RawGap>`
    /* selectGaps */
    select ${columns} from stream_gap where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(gapOf);
}

/** A stream's gaps, oldest first, `limit` of them after the given place. */
export async function selectGapPage(
  db: Kysely<Database>,
  page: {
    readonly streamId: StreamId;
    readonly after: { readonly at: number; readonly id: GapId } | null;
    readonly limit: number;
  },
): Promise<readonly GapRow[]> {
  const after =
    page.after === null
      ? sql`true`
      : sql`(from_at, id) > (to_timestamp(${page.after.at}::float8 / 1000), ${uuidFromId(page.after.id)}::uuid)`;
  const result = await sql<RawGap>`
    /* selectGapPage */
    select ${columns} from stream_gap where stream_id = ${uuidFromId(page.streamId)} and ${after}
    order by from_at, id limit ${page.limit}
  `.execute(db);
  return result.rows.map(gapOf);
}
