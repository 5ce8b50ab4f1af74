import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Client } from 'pg';
import { createDatabase, type Database } from '../../src/db/connect.ts';
import type { EventCursor } from '../../src/events/event-cursor.ts';
import { profileText } from '../../src/events/member-profile.ts';
import { assert } from '../../src/lib/assert.ts';
import { systemClock } from '../../src/lib/clock.ts';
import {
  type ChannelId,
  idFromUuid,
  type MemberId,
  newId,
  type StreamId,
  uuidFromId,
} from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { seal } from '../../src/privacy/envelope.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../src/privacy/vault.ts';
import { createBenchDatabase } from '../support/bench-database.ts';

/** Opens what is recorded. */
export const BENCH_MASTER_KEY = Buffer.alloc(32, 1).toString('base64');

const DAYS = 30;
const FIRST_DAY_MS = Date.UTC(2026, 9, 1);
const DAY_MS = 24 * 60 * 60 * 1000;
const STREAM_HOURS = 4;
/** One viewer per so many events, so that both sizes have people and repeats in proportion; the keys must fit the vault. */
const EVENTS_PER_MEMBER = 1_000;
const MEMBERS_MIN = 300;
/** Vault keys made in one go. */
const MEMBERS_PER_BATCH = 1_000;

/** A month of one channel: a stream of four hours a day, every table filled as ingest would have. */
export interface RecordedMonth extends AsyncDisposable {
  readonly events: number;
  readonly members: number;
  /** Where the database is. */
  readonly url: string;
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly channelId: ChannelId;
  readonly streamIds: readonly StreamId[];
  /** Places all over the month to read pages from; the newest first. Chat around them can be decrypted. */
  readonly places: readonly EventCursor[];
}

/**
 * Records a month of `events` events in a database of its own. Made inside PostgreSQL, in the mixture of a busy room: 35 %
 * chat, 25 % joins, 23 % likes, 7 % gifts (5 % of them large), and rare things. Chat at the places to be read is sealed
 * as the storage worker does it; elsewhere there are bytes of the same size, which nobody will read.
 */
export async function recordMonth(
  name: string,
  options: { readonly events: number; readonly places: number; readonly pageEvents: number },
): Promise<RecordedMonth> {
  await using made = new AsyncDisposableStack();
  const database = made.use(await createBenchDatabase(`history_${name}`));
  const db = createDatabase({
    connectionString: database.url,
    poolMax: 4,
    statementTimeoutMs: 0,
    applicationName: 'tallylight bench',
  });
  made.defer(() => db.destroy());
  const masterKey = parseMasterKey(BENCH_MASTER_KEY);
  const vault = createVault({ db, masterKey, clock: systemClock });
  const channelId = newId('channel', FIRST_DAY_MS);
  const { client } = database;
  await client.query(
    "set synchronous_commit = off; set maintenance_work_mem = '256MB'; set default_statistics_target = 10",
  );
  const streamIds = await insertStreams(client, channelId);
  const members = Math.max(MEMBERS_MIN, Math.floor(options.events / EVENTS_PER_MEMBER));
  await insertMembers(client, { vault, channelId, members });
  await withoutIndexes(client, () => insertEvents(client, { channelId, events: options.events }));
  await insertRollups(client);
  await client.query('analyze');
  const places = await choosePlaces(client, options);
  await sealPages(client, { vault, places, pageEvents: options.pageEvents });
  const kept = made.move();
  return {
    events: options.events,
    members,
    url: database.url,
    db,
    vault,
    channelId,
    streamIds,
    places,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Rows first and indexes after them: a third of the time, for the same indexes in the end. */
async function withoutIndexes(client: Client, load: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
     from pg_index where indrelid = 'event'::regclass and not indisprimary`,
  );
  for (const index of rows) await client.query(`drop index ${index.name}`);
  await load();
  // PostgreSQL says `on only` of an index on partitions; said again like that, it would index none of them.
  for (const index of rows) await client.query(index.definition.replace(' ON ONLY ', ' ON '));
}

async function insertStreams(client: Client, channelId: ChannelId): Promise<readonly StreamId[]> {
  const channel = uuidFromId(channelId);
  await client.query(`insert into channel (id, provider, handle) values ($1, 'TIKTOK', 'bench')`, [channel]);
  const streamIds: StreamId[] = [];
  for (let day = 0; day < DAYS; day += 1) {
    const startedAt = FIRST_DAY_MS + day * DAY_MS + 18 * 60 * 60 * 1000;
    const times = [new Date(startedAt), new Date(startedAt + STREAM_HOURS * 60 * 60 * 1000)];
    const streamId = newId('stream', startedAt);
    streamIds.push(streamId);
    await client.query('select ensure_event_partition($1::date)', [
      new Date(startedAt).toISOString().slice(0, 10),
    ]);
    await client.query(
      `insert into stream (id, channel_id, provider, external_id, started_at, ended_at) values ($1, $2, 'TIKTOK', $3, $4, $5)`,
      [uuidFromId(streamId), channel, streamId, ...times],
    );
    await client.query(
      `insert into session (id, stream_id, channel_id, source, state, started_at, ended_at)
       values ($1, $2, $3, 'LIVE', 'ENDED', $4, $5)`,
      [uuidFromId(newId('session', startedAt)), uuidFromId(streamId), channel, ...times],
    );
  }
  return streamIds;
}

async function insertMembers(
  client: Client,
  people: { readonly vault: Vault; readonly channelId: ChannelId; readonly members: number },
): Promise<void> {
  const { vault, channelId } = people;
  for (let first = 0; first < people.members; first += MEMBERS_PER_BATCH) {
    const numbers = Array.from(
      { length: Math.min(MEMBERS_PER_BATCH, people.members - first) },
      (_, index) => first + index,
    );
    const ids = numbers.map((number) => newId('member', FIRST_DAY_MS + number));
    const keys = await vault.dataKeys(ids, { create: true });
    const rows = ids.map((id, index) => {
      const number = first + index;
      const key = keys.get(id);
      assert(key !== undefined, 'a key was made');
      const profile = profileText({
        userId: String(6_000_000_000_000_000_000n + BigInt(number)),
        uniqueId: `viewer_${number}`,
        displayName: `Viewer number ${number}`,
        avatarUrl: `https://p16-webcast.example/img/avatar/${number}~100x100.webp?x-expires=1790000000`,
        followRole: 'NONE',
        isModerator: false,
        isSubscriber: false,
        teamMemberLevel: 0,
      });
      const userHash = vault.userHash({ channelId, provider: 'TIKTOK', userId: String(number) });
      return {
        id: uuidFromId(id),
        hash: userHash.toString('hex'),
        profile: seal(key, sealContext.profile(id), profile).toString('hex'),
      };
    });
    await client.query(
      `insert into audience_member (id, channel_id, provider, user_hash, handle_hash, profile, profile_hash, follow_role,
         is_moderator, is_subscriber, team_member_level, first_seen_at, last_seen_at)
       select id, $1, 'TIKTOK', decode(hash, 'hex'), decode(hash, 'hex'), decode(profile, 'hex'), decode(hash, 'hex'), 'NONE',
         false, false, 0, now(), now()
       from jsonb_to_recordset($2) as given (id uuid, hash text, profile text)`,
      [uuidFromId(channelId), JSON.stringify(rows)],
    );
  }
}

/** `kind` decides the type in thousandths; members give in proportion to the square of chance: few do most. */
async function insertEvents(
  client: Client,
  month: { readonly channelId: ChannelId; readonly events: number },
): Promise<void> {
  const perDay = Math.floor(month.events / DAYS);
  await client.query(`
    create temporary table people as select row_number() over (order by id) - 1 as number, id from audience_member;
    create unique index on people (number);
    analyze people;
    select setseed(0.5);
  `);
  const sessions = await client.query('select id, stream_id, started_at from session order by started_at');
  for (const [day, session] of sessions.rows.entries()) {
    await client.query(
      `insert into event (event_id, occurred_at, sequence, channel_id, stream_id, session_id, trigger_id, provider, source,
         history, member_id, coins, streak_coins, ingested_at, payload, personal, subject_id)
       select sha256(int8send(sequence)), occurred_at, sequence, $1, $2, $3, trigger_id, 1, 1, false, people.id,
         coins, coins, occurred_at, payload[trigger_id], case trigger_id when 1 then filler end,
         case trigger_id when 1 then people.id end
       from (
         select $5::bigint * $6::bigint + number as sequence,
           date_trunc('milliseconds', $4::timestamptz + number * (interval '${STREAM_HOURS} hours' / $6::bigint)) as occurred_at,
           case when kind < 350 then 1 when kind < 420 then 2 when kind < 650 then 3 when kind < 670 then 4 when kind < 680 then 5
             when kind < 930 then 6 when kind < 980 then 14 when kind < 999 then 13 else 18 end as trigger_id,
           case when kind >= 350 and kind < 420 then
             case when large < 0.02 then 34999 when large < 0.05 then 500 when large < 0.2 then 10 else 1 end end as coins,
           floor(chance * chance * (select count(*) from people))::bigint as person
         from (select number, random() * 1000 as kind, random() as chance, random() as large
           from generate_series(1, $6::bigint) as number) as thrown
       ) as drawn
       left join people on people.number = drawn.person and trigger_id not in (13, 14),
       (select decode(repeat('00', 90), 'hex') as filler, array[
         '{"emotes": [], "language": "en"}',
         '{"giftId": "5655", "giftName": "Rose", "giftCount": 1, "coins": 1, "diamondCount": 1, "streakId": "s", "streakCount": 1, "streakCoins": 1, "streakActive": false, "streakEnd": true, "isGiftStreak": false, "giftImageUrl": null}',
         '{"likeCount": 15, "totalLikeCount": 100000}', '{}', '{}', '{"viewerCount": 900, "joinCount": 1}', '{}', '{}', '{}', '{}', '{}', '{}',
         '{"rawType": "WebcastLinkMicMethod"}', '{"viewerCount": 900, "totalViewerCount": 9000}', '{}', '{}', '{}',
         '{"envelopeId": "1", "coins": 100}']::jsonb[] as payload) as constant`,
      [uuidFromId(month.channelId), session.stream_id, session.id, session.started_at, day, perDay],
    );
  }
}

/** As the storage worker keeps them. */
async function insertRollups(client: Client): Promise<void> {
  await client.query(`
    insert into stream_total (stream_id, channel_id, events, chats, gifts, coins, likes_sampled, likes_max, follows, shares, joins,
      last_sequence, last_event_at)
    select stream_id, channel_id, count(*), count(*) filter (where trigger_id = 1), count(*) filter (where trigger_id = 2),
      coalesce(sum(coins), 0), 15 * count(*) filter (where trigger_id = 3), 100000, count(*) filter (where trigger_id = 4),
      count(*) filter (where trigger_id = 5), count(*) filter (where trigger_id = 6), max(sequence), max(occurred_at)
    from event group by stream_id, channel_id;
    insert into stream_gifter (stream_id, member_id, gifts, coins, last_gift_at)
    select stream_id, member_id, count(*), sum(coins), max(occurred_at)
    from event where trigger_id = 2 and member_id is not null group by stream_id, member_id;
  `);
}

/** The newest event, and others spread evenly over the month, newest first. */
async function choosePlaces(
  client: Client,
  month: { readonly events: number; readonly places: number },
): Promise<readonly EventCursor[]> {
  const newest = Math.floor(month.events / DAYS) * DAYS;
  const step = Math.floor((newest - month.events / DAYS) / month.places);
  const ids = Array.from({ length: month.places }, (_, index) => {
    const sequence = Buffer.alloc(8);
    sequence.writeBigInt64BE(BigInt(newest - index * step));
    return createHash('sha256').update(sequence).digest();
  });
  const { rows } = await client.query<{ at: number; sequence: number }>(
    `select (extract(epoch from occurred_at) * 1000)::float8 as at, sequence::float8 as sequence
     from event where event_id = any($1) order by event.sequence desc`,
    [ids],
  );
  assert(rows.length === month.places, 'every place is an event');
  return rows.map((row) => ({ occurredAt: row.at, sequence: row.sequence }));
}

/** Seals the chat that pages of `pageEvents` after each place will show. */
async function sealPages(
  client: Client,
  pages: { readonly vault: Vault; readonly places: readonly EventCursor[]; readonly pageEvents: number },
): Promise<void> {
  const sealed: { id: string; at: string; personal: string }[] = [];
  for (const place of pages.places) {
    const { rows } = await client.query<{ event_id: Buffer; occurred_at: Date; member_id: string }>(
      `select event_id, occurred_at, member_id from event
       where occurred_at <= $1 and occurred_at > $1::timestamptz - interval '1 day' and trigger_id = 1 and member_id is not null
       order by occurred_at desc, sequence desc limit $2`,
      [new Date(place.occurredAt), pages.pageEvents * 2],
    );
    const ids = rows.map((row): MemberId => idFromUuid('member', row.member_id));
    const keys = await pages.vault.dataKeys(ids, { create: false });
    for (const [index, row] of rows.entries()) {
      const key = keys.get(ids[index] ?? idFromUuid('member', row.member_id));
      assert(key !== undefined, 'every member has a key');
      const id = row.event_id.toString('hex');
      const text = JSON.stringify({ message: `what a nice stream, greetings from number ${index}` });
      sealed.push({
        id,
        at: row.occurred_at.toISOString(),
        personal: seal(key, sealContext.event(id), text).toString('hex'),
      });
    }
  }
  await client.query('set session_replication_role = replica'); // events are append-only; the bench is their author
  await client.query(
    `update event set personal = decode(given.personal, 'hex')
     from jsonb_to_recordset($1) as given (id text, at timestamptz, personal text)
     where event.event_id = decode(given.id, 'hex') and event.occurred_at = given.at`,
    [JSON.stringify(sealed)],
  );
}
