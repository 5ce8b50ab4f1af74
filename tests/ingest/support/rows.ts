import type { Kysely } from 'kysely';
import type { Database } from '../../../src/db/connect.ts';
import { type ChannelId, uuidFromId } from '../../../src/lib/ids.ts';

/** What is stored about a channel's connections, oldest first. */
export async function storedRows(db: Kysely<Database>, channelId: ChannelId) {
  const uuid = uuidFromId(channelId);
  const [connection, streams, sessions, gaps] = await Promise.all([
    db.selectFrom('channel_connection').selectAll().where('channel_id', '=', uuid).executeTakeFirst(),
    db.selectFrom('stream').selectAll().where('channel_id', '=', uuid).orderBy('started_at').execute(),
    db.selectFrom('session').selectAll().where('channel_id', '=', uuid).orderBy('started_at').execute(),
    db.selectFrom('stream_gap').selectAll().where('channel_id', '=', uuid).orderBy('from_at').execute(),
  ]);
  return { connection, streams, sessions, gaps };
}

/** Where the channel's connection stands, as stored. */
export async function storedState(db: Kysely<Database>, channelId: ChannelId): Promise<string | undefined> {
  return (await storedRows(db, channelId)).connection?.state;
}
