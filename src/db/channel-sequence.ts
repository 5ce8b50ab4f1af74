import { type Kysely, sql } from 'kysely';
import { type ChannelId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** The highest sequence stored of a channel, 0 when none is. */
export async function selectStoredSequence(db: Kysely<Database>, channelId: ChannelId): Promise<number> {
  const result = await sql<{ last_sequence: number }>`
    /* selectStoredSequence */
    select last_sequence::float8 as last_sequence from channel_sequence where channel_id = ${uuidFromId(channelId)}
  `.execute(db);
  return result.rows[0]?.last_sequence ?? 0;
}
