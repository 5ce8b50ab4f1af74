import { type Kysely, sql } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import { type ChannelId, idFromUuid, type StreamId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** One room of a provider. Times are milliseconds since the Unix epoch. */
export interface StreamRow {
  readonly id: StreamId;
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** The provider's room id. */
  readonly externalId: string;
  readonly title: string | null;
  readonly simulated: boolean;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly endReason: 'ENDED' | 'SUSPENDED' | 'OFFLINE' | null;
}

interface RawStream {
  id: string;
  channel_id: string;
  provider: Provider;
  external_id: string;
  title: string | null;
  simulated: boolean;
  started_ms: number;
  ended_ms: number | null;
  end_reason: StreamRow['endReason'];
}

const columns = sql`
  id, channel_id, provider, external_id, title, simulated, end_reason,
  (extract(epoch from started_at) * 1000)::float8 as started_ms,
  (extract(epoch from ended_at) * 1000)::float8 as ended_ms`;

function streamOf(row: RawStream): StreamRow {
  return {
    id: idFromUuid('stream', row.id),
    channelId: idFromUuid('channel', row.channel_id),
    provider: row.provider,
    externalId: row.external_id,
    title: row.title,
    simulated: row.simulated,
    startedAt: row.started_ms,
    endedAt: row.ended_ms,
    endReason: row.end_reason,
  };
}

/** The streams with these ids, in no particular order; unknown ids are left out. */
export async function selectStreams(
  db: Kysely<Database>,
  ids: readonly StreamId[],
): Promise<readonly StreamRow[]> {
  const result = await sql<RawStream>`
    /* selectStreams */
    select ${columns} from stream where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
  return result.rows.map(streamOf);
}

/** A channel's streams, newest first, `limit` of them after the given place. */
export async function selectStreamPage(
  db: Kysely<Database>,
  page: {
    readonly channelId: ChannelId;
    readonly after: { readonly at: number; readonly id: StreamId } | null;
    readonly limit: number;
  },
): Promise<readonly StreamRow[]> {
  const after =
    page.after === null
      ? sql`true`
      : sql`(started_at, id) < (to_timestamp(${page.after.at}::float8 / 1000), ${uuidFromId(page.after.id)}::uuid)`;
  const result = await sql<RawStream>`
    /* selectStreamPage */
    select ${columns} from stream where channel_id = ${uuidFromId(page.channelId)} and ${after}
    order by started_at desc, id desc limit ${page.limit}
  `.execute(db);
  return result.rows.map(streamOf);
}

/** The newest stream of each channel; a channel that never had one is left out. */
export async function selectLatestStreams(
  db: Kysely<Database>,
  channelIds: readonly ChannelId[],
): Promise<readonly StreamRow[]> {
  const result = await sql<RawStream>`
    /* selectLatestStreams */
    select latest.* from unnest(${channelIds.map(uuidFromId)}::uuid[]) as wanted (channel_id)
    cross join lateral (
      select ${columns} from stream where stream.channel_id = wanted.channel_id
      order by started_at desc, id desc limit 1
    ) as latest
  `.execute(db);
  return result.rows.map(streamOf);
}
