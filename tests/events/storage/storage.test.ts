import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { Registry } from 'prom-client';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../../src/bus/port.ts';
import { deleteSubjectKeys } from '../../../src/db/subject-key.ts';
import { type StorageWorker, startStorageWorker } from '../../../src/events/storage/worker.ts';
import type { UnifiedEvent } from '../../../src/events/unified-event.ts';
import { idFromUuid, uuidFromId } from '../../../src/lib/ids.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { sealContext } from '../../../src/privacy/context.ts';
import { open } from '../../../src/privacy/envelope.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault } from '../../../src/privacy/vault.ts';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';
import {
  giftPayload,
  SAMPLE_TIME_MS,
  type SampleScene,
  sampleEvents,
  sampleScene,
  sampleUser,
} from '../support/sample-events.ts';

const database = await createTestDatabase();
const { db } = database;
const clock = { nowMs: () => SAMPLE_TIME_MS + 60_000 };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const vault = createVault({ db, masterKey, clock });
const logger = createLogger('silent');
afterAll(() => database[Symbol.asyncDispose]());

let scene: SampleScene;
let make: ReturnType<typeof sampleEvents>;
beforeEach(() => {
  scene = sampleScene();
  make = sampleEvents(scene);
});

/** Puts events on a bus, runs a worker until it has handled them all, and stops it. */
async function store(
  events: readonly UnifiedEvent[],
  batchEventsMax = 500,
  storeVault = vault,
): Promise<void> {
  const bus = createInProcessBus({ clock });
  const worker = await startStorageWorker(
    { db, bus, vault: storeVault, clock, logger, registry: new Registry() },
    { consumerId: 'test', batchEventsMax, lingerMs: 1 },
  );
  await append(bus, events);
  await drained(worker);
  await worker.stop();
}

async function append(bus: EventBus, events: readonly UnifiedEvent[]): Promise<void> {
  for (const event of events) {
    const { sequence, ...draft } = event;
    await bus.append({
      channelId: event.channelId,
      lease: null,
      sequenceFloor: sequence - 1,
      events: [draft],
    });
  }
}

async function drained(worker: StorageWorker): Promise<void> {
  await waitFor(async () => (await worker.lag()).pendingEvents === 0, { message: 'storage to be done' });
}

async function storedEvents() {
  return db
    .selectFrom('event')
    .selectAll()
    .where('channel_id', '=', uuidFromId(scene.channelId))
    .orderBy('sequence')
    .execute();
}

async function totals() {
  const { stream_id, channel_id, ...row } = await db
    .selectFrom('stream_total')
    .selectAll()
    .where('stream_id', '=', uuidFromId(scene.streamId))
    .executeTakeFirstOrThrow();
  return row;
}

async function members() {
  return db
    .selectFrom('audience_member')
    .selectAll()
    .where('channel_id', '=', uuidFromId(scene.channelId))
    .orderBy('first_seen_at')
    .execute();
}

async function profileOf(member: { id: string; profile: Buffer }): Promise<unknown> {
  const id = idFromUuid('member', member.id);
  const key = (await vault.dataKeys([id], { create: false })).get(id);
  if (key === undefined) throw new Error('the member has no key');
  return JSON.parse(open(key, sealContext.profile(id), member.profile).toString());
}

describe('an event in the database', () => {
  it('is what was on the bus: columns, open payload, sealed personal part', async () => {
    const user = sampleUser(1);
    const gift = make('GIFT', giftPayload({ coins: 30, giftCount: 3, streakCoins: 50, toUserId: '42' }), {
      user,
    });
    await store([gift]);

    const [row] = await storedEvents();
    const [member] = await members();
    if (row === undefined || member === undefined) throw new Error('nothing was stored');
    const { personal, stored_at, ...columns } = row;
    expect(columns).toEqual({
      event_id: Buffer.from(gift.eventId, 'hex'),
      occurred_at: new Date(gift.timestamp),
      ingested_at: new Date(gift.ingestedAt),
      sequence: 1n,
      channel_id: dashed(scene.channelId),
      stream_id: dashed(scene.streamId),
      session_id: dashed(scene.sessionId),
      trigger_id: 2,
      provider: 1,
      source: 1,
      history: false,
      member_id: member.id,
      coins: 30n,
      streak_coins: 50n,
      payload: {
        giftId: '5655',
        giftName: 'Rose',
        giftCount: 3,
        coins: 30,
        diamondCount: 1,
        streakId: 'streak-1',
        streakCount: 1,
        streakCoins: 50,
        streakActive: false,
        streakEnd: true,
        isGiftStreak: false,
        giftImageUrl: 'https://p16.example/rose.png',
      },
      subject_id: member.id,
    });
    const id = idFromUuid('member', member.id);
    const key = (await vault.dataKeys([id], { create: false })).get(id);
    if (key === undefined || personal === null) throw new Error('nothing was sealed');
    expect(JSON.parse(open(key, sealContext.event(gift.eventId), personal).toString())).toEqual({
      toUserId: '42',
    });
    expect(stored_at).toBeInstanceOf(Date);
  });

  it('without a person is sealed under its channel’s key', async () => {
    const event = make('BATTLE', {
      battleId: '9',
      battleStatus: 'STARTED',
      participants: [{ userId: '42', displayName: 'Rival', score: 7 }],
    });
    await store([event]);
    const [row] = await storedEvents();
    expect([row?.member_id, row?.subject_id]).toEqual([null, dashed(scene.channelId)]);
    const key = (await vault.dataKeys([scene.channelId], { create: false })).get(scene.channelId);
    if (key === undefined || !row?.personal) throw new Error('nothing was sealed');
    expect(JSON.parse(open(key, sealContext.event(event.eventId), row.personal).toString())).toEqual({
      participants: [{ userId: '42', displayName: 'Rival', score: 7 }],
    });
  });

  it('is stored when its channel, stream and session have no rows yet', async () => {
    await store([make('SHARE', {}, { user: sampleUser(1) })]);
    expect(await storedEvents()).toHaveLength(1);
    expect((await totals()).shares).toBe(1n);
  });

  it('of any day finds or makes its partition, also one that was removed meanwhile', async () => {
    const day = Date.UTC(2026, 9, 25, 12);
    const bus = createInProcessBus({ clock });
    const worker = await startStorageWorker(
      { db, bus, vault, clock, logger, registry: new Registry() },
      { consumerId: 'test' },
    );
    await append(bus, [make('SHARE', {}, { timestamp: day, ingestedAt: day })]);
    await drained(worker);
    await sql`drop table event_20261025`.execute(db);
    await append(bus, [make('SHARE', {}, { timestamp: day, ingestedAt: day })]);
    await drained(worker);
    await worker.stop();
    expect((await storedEvents()).map((row) => row.sequence)).toEqual([2n]);
  });
});

describe('rollups', () => {
  it('count every kind of event once, per stream, minute and gifter', async () => {
    const [ann, bob] = [sampleUser(1), sampleUser(2)];
    await store([
      make('CHAT', { message: 'hi', emotes: [], language: null }, { user: ann }),
      make('CHAT', { message: 'ho', emotes: [], language: null }, { user: bob }),
      make('GIFT', giftPayload({ giftCount: 3, coins: 30 }), { user: ann }),
      make('GIFT', giftPayload({ giftCount: 1, coins: 500 }), { user: bob }),
      make('GIFT', giftPayload({ giftCount: 2, coins: 20 }), {
        user: ann,
        timestamp: SAMPLE_TIME_MS + 60_000,
      }),
      make('LIKE', { likeCount: 15, totalLikeCount: 1000 }, { user: ann }),
      make('LIKE', { likeCount: 5, totalLikeCount: 990 }, { user: bob }),
      make('FOLLOW', {}, { user: ann }),
      make('SHARE', {}, { user: ann }),
      make('JOIN', { viewerCount: 3, joinCount: 40 }, { user: bob }),
      make('SUBSCRIBE', { subMonth: 1 }, { user: bob }),
      make('ROOM_USER', { viewerCount: 120, totalViewerCount: 500 }),
      make('ROOM_USER', { viewerCount: 90, totalViewerCount: 500 }),
    ]);
    expect(await totals()).toEqual({
      events: 13n,
      chats: 2n,
      gifts: 6n,
      coins: 550n,
      likes_sampled: 20n,
      likes_max: 1000n,
      follows: 1n,
      shares: 1n,
      joins: 40n,
      subscribes: 1n,
      viewers_now: 90n,
      viewers_at: new Date(SAMPLE_TIME_MS + 13_000),
      viewers_max: 120n,
      last_sequence: 13n,
      last_event_at: new Date(SAMPLE_TIME_MS + 60_000),
    });
    const minutes = await db
      .selectFrom('stream_minute')
      .select(['minute', 'events', 'gifts', 'coins', 'viewers_max'])
      .where('stream_id', '=', uuidFromId(scene.streamId))
      .orderBy('minute')
      .execute();
    expect(minutes).toEqual([
      { minute: new Date(SAMPLE_TIME_MS), events: 12n, gifts: 4n, coins: 530n, viewers_max: 120n },
      { minute: new Date(SAMPLE_TIME_MS + 60_000), events: 1n, gifts: 2n, coins: 20n, viewers_max: 0n },
    ]);
    const gifters = await db
      .selectFrom('stream_gifter')
      .innerJoin('audience_member', 'id', 'member_id')
      .select(['user_hash', 'gifts', 'coins', 'last_gift_at'])
      .where('stream_id', '=', uuidFromId(scene.streamId))
      .orderBy('coins', 'desc')
      .execute();
    const hash = (userId: string) => vault.userHash({ ...scene, provider: 'TIKTOK', userId });
    expect(gifters).toEqual([
      { user_hash: hash(bob.userId), gifts: 1n, coins: 500n, last_gift_at: new Date(SAMPLE_TIME_MS + 4_000) },
      { user_hash: hash(ann.userId), gifts: 5n, coins: 50n, last_gift_at: new Date(SAMPLE_TIME_MS + 60_000) },
    ]);
    const head = await db
      .selectFrom('channel_sequence')
      .selectAll()
      .where('channel_id', '=', uuidFromId(scene.channelId))
      .execute();
    expect(head).toEqual([{ channel_id: dashed(scene.channelId), last_sequence: 13n }]);
  });

  it('are the same however the events are cut into batches, and however often they are delivered', async () => {
    const events = Array.from({ length: 60 }, (_, index) =>
      index % 3 === 0
        ? make('GIFT', giftPayload({ giftCount: 2, coins: 20, streakId: `s${index}` }), {
            user: sampleUser(index % 5),
          })
        : make('LIKE', { likeCount: 3, totalLikeCount: 1000 - index }, { user: sampleUser(index % 7) }),
    );
    await store(events.slice(0, 40), 7);
    await store(events, 500); // the first forty again
    await store(events.slice(20), 1);
    const { events: count, gifts, coins, likes_sampled, likes_max } = await totals();
    expect({ count, gifts, coins, likes_sampled, likes_max }).toEqual({
      count: 60n,
      gifts: 40n,
      coins: 400n,
      likes_sampled: 120n,
      likes_max: 999n,
    });
    expect(await storedEvents()).toHaveLength(60);
  });

  it('leave replays out, but the channel’s sequence counts them', async () => {
    const user = sampleUser(1);
    await store([make('GIFT', giftPayload({ coins: 10 }), { user })]);
    await store([make('GIFT', giftPayload({ coins: 10 }), { user, source: 'REPLAY' })]);
    expect((await storedEvents()).map((row) => row.source)).toEqual([1, 2]);
    expect(await totals()).toMatchObject({ events: 1n, coins: 10n, last_sequence: 1n });
    const head = await db
      .selectFrom('channel_sequence')
      .select('last_sequence')
      .where('channel_id', '=', uuidFromId(scene.channelId))
      .execute();
    expect(head).toEqual([{ last_sequence: 2n }]);
  });

  it('take the viewers from the newest word about them, not from the latest stored', async () => {
    const early = make('ROOM_USER', { viewerCount: 10, totalViewerCount: 0 });
    const late = make('ROOM_USER', { viewerCount: 20, totalViewerCount: 0 });
    await store([late]);
    await store([early]);
    expect(await totals()).toMatchObject({
      viewers_now: 20n,
      viewers_at: new Date(late.timestamp),
      viewers_max: 20n,
    });
  });
});

describe('audience members', () => {
  const chat = { message: 'hi', emotes: [], language: null };

  it('are one per person and channel, with their profile sealed and their handles kept', async () => {
    const before = sampleUser(1);
    const after = { ...before, uniqueId: 'renamed', displayName: 'New Name', isModerator: true };
    await store([make('CHAT', chat, { user: before }), make('CHAT', chat, { user: sampleUser(2) })]);
    await store([make('CHAT', chat, { user: after })]);
    const [member, other] = await members();
    if (member === undefined || other === undefined) throw new Error('members are missing');
    const { userId, avatarUrl } = before;
    expect(await profileOf(member)).toEqual({
      userId,
      uniqueId: 'renamed',
      displayName: 'New Name',
      avatarUrl,
    });
    expect(member).toMatchObject({
      provider: 'TIKTOK',
      user_hash: vault.userHash({ channelId: scene.channelId, provider: 'TIKTOK', userId }),
      handle_hash: vault.handleHash({ channelId: scene.channelId, handle: 'renamed' }),
      is_moderator: true,
      first_seen_at: new Date(SAMPLE_TIME_MS + 1000),
      last_seen_at: new Date(SAMPLE_TIME_MS + 3000),
    });
    const handles = await db
      .selectFrom('member_handle')
      .select(['handle_hash', 'first_seen_at'])
      .where('member_id', '=', member.id)
      .orderBy('first_seen_at')
      .execute();
    expect(handles).toEqual([
      {
        handle_hash: vault.handleHash({ channelId: scene.channelId, handle: before.uniqueId }),
        first_seen_at: new Date(SAMPLE_TIME_MS + 1000),
      },
      {
        handle_hash: vault.handleHash({ channelId: scene.channelId, handle: 'renamed' }),
        first_seen_at: new Date(SAMPLE_TIME_MS + 3000),
      },
    ]);
  });

  it.each([
    ['in one batch', (events: readonly UnifiedEvent[]) => store(events)],
    ['in batches of one worker', (events: readonly UnifiedEvent[]) => store(events, 1)],
    [
      'after a restart of the worker',
      async (events: readonly UnifiedEvent[]) => {
        for (const event of events) await store([event]);
      },
    ],
  ])('keep the handle they are known by when an event shows none, %s', async (_, storeAll) => {
    const user = sampleUser(1);
    const nameless = { ...user, uniqueId: '' };
    const far = SAMPLE_TIME_MS + 50_000_000;
    await storeAll([
      make('CHAT', chat, { user: nameless }),
      make('CHAT', chat, { user }),
      make('CHAT', chat, { user: nameless, timestamp: far, ingestedAt: far }),
    ]);
    const [member, ...others] = await members();
    if (member === undefined) throw new Error('the member is missing');
    expect(others).toEqual([]);
    expect(await profileOf(member)).toMatchObject({ uniqueId: user.uniqueId });
    const handle_hash = vault.handleHash({ channelId: scene.channelId, handle: user.uniqueId });
    expect(member).toMatchObject({ handle_hash, last_seen_at: new Date(far) });
    const handles = await db
      .selectFrom('member_handle')
      .select('handle_hash')
      .where('member_id', '=', member.id)
      .execute();
    expect(handles).toEqual([{ handle_hash }]);
    expect((await storedEvents()).map((row) => row.member_id)).toEqual([member.id, member.id, member.id]);
  });

  it('are not rewritten while nothing about them is new, whatever host and signature their avatar comes with', async () => {
    const user = sampleUser(1);
    const avatarUrl = 'https://p77-sign.example/avatar-1.webp?x-expires=1795168801&x-signature=abc';
    await store([make('CHAT', chat, { user })]);
    const [before] = await members();
    await store([make('CHAT', chat, { user: { ...user, avatarUrl } })]);
    expect(await members()).toEqual([before]);
    const renewed = avatarUrl.replace('1795168801', String(1795168801 + 86_400));
    await store([make('CHAT', chat, { user: { ...user, avatarUrl: renewed } })]);
    const [after] = await members();
    if (after === undefined) throw new Error('the member is missing');
    expect(await profileOf(after)).toMatchObject({ avatarUrl: renewed });
  });

  it('are marked as seen at most once a minute', async () => {
    const user = sampleUser(1);
    const at = (seconds: number) => make('CHAT', chat, { user, timestamp: SAMPLE_TIME_MS + seconds * 1000 });
    const events = [at(0), at(30), at(59), at(61), at(100)];
    const seen: (Date | undefined)[] = [];
    for (const event of events) {
      await store([event]);
      seen.push((await members())[0]?.last_seen_at);
    }
    const times = [0, 0, 0, 61, 61].map((seconds) => new Date(SAMPLE_TIME_MS + seconds * 1000));
    expect(seen).toEqual(times);
  });

  it('are not changed by a replay, which shows the past', async () => {
    const user = sampleUser(1);
    await store([make('CHAT', chat, { user })]);
    const before = await members();
    await store([make('CHAT', chat, { user: { ...user, displayName: 'Old Name' }, source: 'REPLAY' })]);
    expect(await members()).toEqual(before);
    expect((await storedEvents()).map((row) => row.member_id)).toEqual([before[0]?.id, before[0]?.id]);
  });

  it('[T-I7] whose key was destroyed leave events that count and say nothing', async () => {
    const user = sampleUser(1);
    await store([make('CHAT', chat, { user })]);
    const [member] = await members();
    if (member === undefined) throw new Error('the member is missing');
    await deleteSubjectKeys(db, [idFromUuid('member', member.id)]);

    // A process that starts now: nothing of the key is in its memory.
    const freshVault = createVault({ db, masterKey, clock });
    await store([make('CHAT', chat, { user })], 500, freshVault);
    const rows = (await storedEvents()).map(({ member_id, personal, subject_id }) => ({
      member_id,
      words: personal !== null,
      subject_id,
    }));
    expect(rows).toEqual([
      { member_id: member.id, words: true, subject_id: member.id },
      { member_id: member.id, words: false, subject_id: null },
    ]);
    const key = await freshVault.dataKeys([idFromUuid('member', member.id)], { create: false });
    expect(key).toEqual(new Map()); // not made again
    expect((await totals()).chats).toBe(2n);
  });
});

describe('what a moderator deleted', () => {
  it('is redacted for everybody named who is a member, up to that time', async () => {
    const [ann, bob] = [sampleUser(1), sampleUser(2)];
    const chat = { message: 'rude', emotes: [], language: null };
    const deletion = { userIds: [ann.userId, '999'] };
    await store([
      make('CHAT', chat, { user: ann }),
      make('CHAT', chat, { user: bob }),
      make('MESSAGE_DELETED', deletion),
    ]);
    const redactions = await db
      .selectFrom('message_redaction')
      .innerJoin('audience_member', 'audience_member.id', 'member_id')
      .select(['user_hash', 'redacted_before'])
      .where('message_redaction.channel_id', '=', uuidFromId(scene.channelId))
      .execute();
    expect(redactions).toEqual([
      {
        user_hash: vault.userHash({ channelId: scene.channelId, provider: 'TIKTOK', userId: ann.userId }),
        redacted_before: new Date(SAMPLE_TIME_MS + 3000),
      },
    ]);
  });
});

describe('the gift catalogue', () => {
  it('learns gifts, their latest name and price, and since when', async () => {
    const giftId = `gift-${scene.channelId}`;
    const gift = (changes: object) =>
      make('GIFT', giftPayload({ giftId, ...changes }), { user: sampleUser(1) });
    await store([gift({ giftName: 'Rose', diamondCount: 1 }), gift({ giftName: 'Rose', diamondCount: 1 })]);
    await store([gift({ giftName: 'Rosa', diamondCount: 2, giftImageUrl: null })]);
    expect(await db.selectFrom('gift_catalogue').selectAll().where('gift_id', '=', giftId).execute()).toEqual(
      [
        {
          provider: 'TIKTOK',
          gift_id: giftId,
          name: 'Rosa',
          diamond_count: 2n,
          image_url: 'https://p16.example/rose.png',
          first_seen_at: new Date(SAMPLE_TIME_MS + 2000),
          last_seen_at: new Date(SAMPLE_TIME_MS + 3000),
        },
      ],
    );
  });
});

function dashed(id: string): string {
  return id.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
