import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEventCursor, type EventCursor, encodeEventCursor } from '../../src/events/event-cursor.ts';
import { type EventQuery, listEvents } from '../../src/events/history.ts';
import type { UnifiedEvent } from '../../src/events/unified-event.ts';
import { uuidFromId } from '../../src/lib/ids.ts';
import type { Vault } from '../../src/privacy/vault.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  chatAt,
  eraseMember,
  eventAt,
  giftAt,
  type Recording,
  record,
  recordChannel,
  recordSession,
  recordStream,
  STARTED_AT,
  testVault,
  viewer,
} from './support/recorded.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let test: TestDatabase;
let vault: Vault;
beforeAll(async () => {
  test = await createTestDatabase();
  vault = testVault(test.db);
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

const deps = () => ({ db: test.db, vault });

async function listed(query: EventQuery): Promise<readonly UnifiedEvent[]> {
  const { items } = await listEvents(deps(), query);
  return items.map((item) => item.event);
}

/** Every event, page by page. */
async function walked(query: EventQuery): Promise<readonly UnifiedEvent[]> {
  const found: UnifiedEvent[] = [];
  let after: EventCursor | undefined;
  for (;;) {
    const page = await listEvents(deps(), { ...query, ...(after === undefined ? {} : { after }) });
    found.push(...page.items.map((item) => item.event));
    const last = found.at(-1);
    if (!page.hasMore || last === undefined) return found;
    after = { occurredAt: last.timestamp, sequence: last.sequence };
  }
}

/** Three days of a channel: every kind of event the filters tell apart, two of them at the same time. */
async function recordThreeDays(): Promise<{
  recording: Recording;
  second: Recording;
  events: readonly UnifiedEvent[];
}> {
  const channelId = await recordChannel(test.db);
  const recording = await recordStream(test.db, { channelId });
  const second = await recordStream(test.db, { channelId, startedAt: STARTED_AT + 2 * DAY_MS });
  const late = 2 * DAY_MS;
  const events = [
    chatAt(recording, { atMs: 0, sequence: 1, message: 'hello' }),
    giftAt(recording, { atMs: 1000, sequence: 2, coins: 1, user: viewer(2), toUserId: '99' }),
    giftAt(recording, { atMs: 1000, sequence: 3, coins: 500, user: viewer(2) }),
    eventAt(recording, {
      type: 'ROOM_USER',
      atMs: 2000,
      sequence: 4,
      payload: { viewerCount: 5, totalViewerCount: 9 },
    }),
    eventAt(recording, { type: 'FOLLOW', atMs: DAY_MS, sequence: 5, user: viewer(3), payload: {} }),
    chatAt(second, { atMs: late, sequence: 6, message: 'again', user: viewer(2) }),
    giftAt(second, { atMs: late + 10, sequence: 7, coins: 12_345_678, user: viewer(3) }),
    giftAt(second, { atMs: late + 20, sequence: 8, coins: 99, user: viewer(1) }),
  ];
  await record(deps(), events);
  return { recording, second, events };
}

describe('listEvents', () => {
  it('gives every event back as it was put on the bus, in both orders and over any page size', async () => {
    const { recording, events } = await recordThreeDays();
    const { channelId } = recording;
    for (const first of [1, 2, 3, 100]) {
      expect(await walked({ channelId, order: 'ASC', first })).toEqual(events);
      expect(await walked({ channelId, order: 'DESC', first })).toEqual(events.toReversed());
    }
  });

  it('filters by type, time, member, coins, session and stream, and by all of them together', async () => {
    const { recording, second, events } = await recordThreeDays();
    const { channelId } = recording;
    const all = { channelId, order: 'ASC', first: 2 } as const;
    const pick = (...sequences: number[]) => events.filter((event) => sequences.includes(event.sequence));
    const members = await test.db
      .selectFrom('audience_member')
      .select('id')
      .where('channel_id', '=', uuidFromId(channelId))
      .execute();
    expect(members).toHaveLength(3);
    const { items } = await listEvents(deps(), { ...all, types: ['FOLLOW'] });
    const memberId = items[0]?.memberId;
    if (memberId == null) throw new Error('the follower is a member');

    expect(await walked({ ...all, types: ['GIFT'] })).toEqual(pick(2, 3, 7, 8));
    expect(await walked({ ...all, types: ['CHAT', 'FOLLOW', 'CHAT'] })).toEqual(pick(1, 5, 6));
    expect(await walked({ ...all, types: [] })).toEqual([]);
    expect(await walked({ ...all, from: STARTED_AT + 1000, to: STARTED_AT + DAY_MS })).toEqual(pick(2, 3, 4));
    expect(await walked({ ...all, memberId })).toEqual(pick(5, 7));
    expect(await walked({ ...all, memberId, types: ['GIFT'] })).toEqual(pick(7));
    expect(await walked({ ...all, sessionId: second.sessionId })).toEqual(pick(6, 7, 8));
    expect(await walked({ ...all, streamId: recording.streamId })).toEqual(pick(1, 2, 3, 4, 5));
    expect(await walked({ ...all, streamId: recording.streamId, sessionId: second.sessionId })).toEqual([]);
    const narrow = {
      streamId: second.streamId,
      sessionId: second.sessionId,
      memberId,
      types: ['GIFT'],
      coinsMin: 100,
    } as const;
    expect(await walked({ ...all, ...narrow, from: STARTED_AT, to: STARTED_AT + 3 * DAY_MS })).toEqual(
      pick(7),
    );
  });

  it('leaves out gifts below the minimum of coins and nothing else', async () => {
    const { recording, events } = await recordThreeDays();
    const all = { channelId: recording.channelId, order: 'DESC', first: 3 } as const;
    for (const coinsMin of [0, 1, 2, 99, 100, 101, 500, 501, 12_345_678, 12_345_679, 2 ** 40]) {
      const enough = events
        .toReversed()
        .filter((event) => event.eventType !== 'GIFT' || event.payload.streakCoins >= coinsMin);
      expect(await walked({ ...all, coinsMin })).toEqual(enough);
      const gifts = enough.filter((event) => event.eventType === 'GIFT');
      expect(await walked({ ...all, coinsMin, types: ['GIFT'] })).toEqual(gifts);
      const mixed = enough.filter((event) => event.eventType === 'GIFT' || event.eventType === 'CHAT');
      expect(await walked({ ...all, coinsMin, types: ['CHAT', 'GIFT'] })).toEqual(mixed);
      const chats = enough.filter((event) => event.eventType === 'CHAT');
      expect(await walked({ ...all, coinsMin, types: ['CHAT'] })).toEqual(chats);
    }
  });

  it('leaves replays out unless they are asked for or named', async () => {
    const { recording, events } = await recordThreeDays();
    const sessionId = await recordSession(test.db, {
      channelId: recording.channelId,
      streamId: recording.streamId,
      startedAt: STARTED_AT + 5 * DAY_MS,
      endedAt: STARTED_AT + 5 * DAY_MS + 1000,
      replayOf: recording.sessionId,
    });
    const replayed = chatAt(
      { ...recording, sessionId },
      { atMs: 0, sequence: 9, message: 'hello', source: 'REPLAY' },
    );
    await record(deps(), [replayed]);
    const first = events[0];
    const all = { channelId: recording.channelId, order: 'ASC', first: 100 } as const;
    expect(await listed(all)).toEqual(events);
    expect(await listed({ ...all, streamId: recording.streamId, types: ['CHAT'] })).toEqual([first]);
    expect(
      await listed({ ...all, streamId: recording.streamId, types: ['CHAT'], includeReplays: true }),
    ).toEqual([first, replayed]);
    expect(await listed({ ...all, includeReplays: true })).toEqual([first, replayed, ...events.slice(1)]);
    expect(await listed({ ...all, sessionId })).toEqual([replayed]);
    expect(await listed({ ...all, sessionId, types: ['CHAT'] })).toEqual([replayed]);
  });

  it('shows a live stream up to its newest event', async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId, endedAt: null });
    const events = [0, 1, 2].map((number) =>
      chatAt(recording, { atMs: number * DAY_MS, sequence: number + 1, message: `m${number}` }),
    );
    await record(deps(), events);
    const query = { channelId, streamId: recording.streamId, order: 'DESC', first: 2 } as const;
    expect(await walked(query)).toEqual(events.toReversed());
    expect(await walked({ ...query, types: ['CHAT'] })).toEqual(events.toReversed());
  });

  it('finds messages that a room repeated from before its session began', async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId });
    const repeated = eventAt(recording, {
      type: 'FOLLOW',
      atMs: -20 * 60 * 60 * 1000,
      sequence: 1,
      history: true,
      payload: {},
    });
    await record(deps(), [repeated]);
    const all = { channelId, order: 'ASC', first: 10 } as const;
    expect(await listed({ ...all, streamId: recording.streamId })).toEqual([repeated]);
    expect(await listed({ ...all, sessionId: recording.sessionId })).toEqual([repeated]);
  });

  it('[T-I6] gives nothing of another channel, whatever else is asked for', async () => {
    const { recording, second } = await recordThreeDays();
    const channelId = await recordChannel(test.db);
    const { items } = await listEvents(deps(), {
      channelId: recording.channelId,
      types: ['FOLLOW'],
      order: 'ASC',
      first: 1,
    });
    const memberId = items[0]?.memberId;
    if (memberId == null) throw new Error('the follower is a member');
    const all = { channelId, order: 'ASC', first: 100, includeReplays: true } as const;
    expect(await listed({ ...all, streamId: recording.streamId })).toEqual([]);
    expect(await listed({ ...all, sessionId: second.sessionId })).toEqual([]);
    expect(await listed({ ...all, memberId })).toEqual([]);
    expect(await listed({ ...all, types: ['GIFT'], coinsMin: 100 })).toEqual([]);
    expect(await listed({ ...all, sessionId: second.sessionId, text: 'again' })).toEqual([]);
  });

  it("[T-I7] counts an erased member's events, without name and words", async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId });
    const chat = chatAt(recording, { atMs: 0, sequence: 1, message: 'my secret', user: viewer(4) });
    const gift = giftAt(recording, { atMs: 1, sequence: 2, coins: 30, user: viewer(4), toUserId: '12' });
    const other = chatAt(recording, { atMs: 2, sequence: 3, message: 'still here', user: viewer(5) });
    const members = await record(deps(), [chat, gift, other]);
    const erased = members.get(viewer(4).userId);
    const kept = members.get(viewer(5).userId);
    if (erased === undefined || kept === undefined) throw new Error('both were recorded');
    await eraseMember(test.db, erased);
    // A vault of its own: this one has not held the key before.
    const { items } = await listEvents(
      { db: test.db, vault: testVault(test.db) },
      { channelId, order: 'ASC', first: 10 },
    );
    expect(items).toEqual([
      {
        event: { ...chat, user: null, payload: { ...chat.payload, message: '' } },
        memberId: erased,
        personal: 'ERASED',
        redacted: false,
      },
      {
        event: { ...gift, user: null, payload: { ...gift.payload, toUserId: null } },
        memberId: erased,
        personal: 'ERASED',
        redacted: false,
      },
      { event: other, memberId: kept, personal: 'READABLE', redacted: false },
    ]);
  });

  it('withholds what the provider deleted, up to the deletion and from that member alone', async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId });
    const before = chatAt(recording, { atMs: 0, sequence: 1, message: 'rude' });
    const gift = giftAt(recording, { atMs: 5, sequence: 2, coins: 1 });
    const after = chatAt(recording, { atMs: 11, sequence: 3, message: 'sorry' });
    const other = chatAt(recording, { atMs: 5, sequence: 4, message: 'kind', user: viewer(2) });
    const members = await record(deps(), [before, gift, after, other]);
    const memberId = members.get(viewer(1).userId);
    if (memberId === undefined) throw new Error('the member was recorded');
    await test.db
      .insertInto('message_redaction')
      .values({
        channel_id: uuidFromId(channelId),
        member_id: uuidFromId(memberId),
        redacted_before: new Date(STARTED_AT + 10),
      })
      .execute();
    const { items } = await listEvents(deps(), { channelId, order: 'ASC', first: 10 });
    expect(items.map((item) => [item.event.sequence, item.personal, item.redacted])).toEqual([
      [1, 'REDACTED', true],
      [2, 'READABLE', false],
      [4, 'READABLE', false],
      [3, 'READABLE', false],
    ]);
    expect(items[0]?.event).toEqual({ ...before, payload: { ...before.payload, message: '' } });
  });

  it('[T-T3] tells an event whose sealed part was moved from another, and shows the page around it', async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId });
    const mine = chatAt(recording, { atMs: 0, sequence: 1, message: 'I like this' });
    const theirs = chatAt(recording, { atMs: 1, sequence: 2, message: 'I hate this' });
    await record(deps(), [mine, theirs]);
    // An attacker with the database in hand: triggers off, one ciphertext copied over another of the same person.
    await test.db.transaction().execute(async (tx) => {
      await sql`set local session_replication_role = replica`.execute(tx);
      await sql`update event set personal = (select personal from event where event_id = ${Buffer.from(theirs.eventId, 'hex')})
        where event_id = ${Buffer.from(mine.eventId, 'hex')}`.execute(tx);
    });
    const { items } = await listEvents(deps(), { channelId, order: 'ASC', first: 10 });
    expect(
      items.map((item) => [item.personal, item.event.eventType === 'CHAT' && item.event.payload.message]),
    ).toEqual([
      ['DAMAGED', ''],
      ['READABLE', 'I hate this'],
    ]);
  });

  it('decrypts only what is asked for', async () => {
    const channelId = await recordChannel(test.db);
    const recording = await recordStream(test.db, { channelId });
    const chat = chatAt(recording, { atMs: 0, sequence: 1, message: 'hi' });
    await record(deps(), [chat]);
    const query = { channelId, order: 'ASC', first: 1 } as const;
    const only = async (fields: { users: boolean; texts: boolean }) =>
      (await listEvents(deps(), { ...query, fields })).items[0];
    expect(await only({ users: false, texts: true })).toMatchObject({
      personal: 'READABLE',
      event: { user: null, payload: chat.payload },
    });
    expect(await only({ users: true, texts: false })).toMatchObject({
      personal: 'NOT_ASKED',
      event: { user: chat.user, payload: { message: '' } },
    });
  });
});

describe('event cursors', () => {
  it('come back as they were', () => {
    const cursor = { occurredAt: STARTED_AT, sequence: 2 ** 53 - 1 };
    expect(decodeEventCursor(encodeEventCursor(cursor))).toEqual(cursor);
  });

  it('are refused when they are not ours', () => {
    const good = encodeEventCursor({ occurredAt: 1, sequence: 2 });
    const foreign = [
      '',
      'x',
      `${good}=`,
      `${good} `,
      Buffer.from('e1:1:-2').toString('base64url'),
      Buffer.from('e1:01:2').toString('base64url'),
      Buffer.from('e1:1:9999999999999999').toString('base64url'),
    ];
    expect(foreign.map(decodeEventCursor)).toEqual(foreign.map(() => undefined));
  });

  it('[T-I1] say when and where, never who', () => {
    expect(Buffer.from(encodeEventCursor({ occurredAt: 17, sequence: 4 }), 'base64url').toString()).toBe(
      'e1:17:4',
    );
  });
});
