import { type Kysely, sql } from 'kysely';
import { type ChannelId, idFromUuid } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** Where an event stands in its channel, or undefined. The time leads to the one partition that can hold it. */
export async function selectEventPlace(
  db: Kysely<Database>,
  key: { readonly eventId: string; readonly occurredAt: number },
): Promise<{ readonly channelId: ChannelId; readonly sequence: number } | undefined> {
  const result = await sql<{ channel_id: string; sequence: number }>`
    /* selectEventPlace */
    select channel_id, sequence::float8 as sequence from event
    where event_id = ${Buffer.from(key.eventId, 'hex')} and occurred_at = to_timestamp(${key.occurredAt}::float8 / 1000)
  `.execute(db);
  const row = result.rows[0];
  return row && { channelId: idFromUuid('channel', row.channel_id), sequence: row.sequence };
}
