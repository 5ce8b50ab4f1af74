import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decodeGifterCursor,
  encodeGifterCursor,
  type Gifter,
  type GifterPage,
  streamMinutes,
  streamTotals,
  topGifters,
} from '../../src/events/stream-stats.ts';
import { newId, type StreamId, uuidFromId } from '../../src/lib/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  chatAt,
  eraseMember,
  type Recording,
  record,
  recordChannel,
  recordStream,
  STARTED_AT,
  testVault,
  viewer,
} from './support/recorded.ts';

const MINUTE_MS = 60 * 1000;

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

const deps = () => ({ db: test.db, vault: testVault(test.db) });
const recorded = async () => recordStream(test.db, { channelId: await recordChannel(test.db) });

const zeros = {
  events: 0,
  chats: 0,
  gifts: 0,
  coins: 0,
  likesSampled: 0,
  follows: 0,
  shares: 0,
  joins: 0,
  subscribes: 0,
  viewersMax: 0,
};
const nothing = (streamId: StreamId) => ({
  ...zeros,
  streamId,
  likesMax: 0,
  viewersNow: 0,
  lastSequence: 0,
  lastEventAt: null,
});

describe('the totals of streams', () => {
  it('are the rollup rows, and zeros for a stream that has none', async () => {
    const counted = await recorded();
    const empty = await recorded();
    const row = {
      events: 9,
      chats: 4,
      gifts: 3,
      coins: 5_000_000_000,
      likes_sampled: 12,
      follows: 1,
      shares: 2,
      joins: 6,
      subscribes: 7,
      viewers_max: 80,
    };
    await test.db
      .insertInto('stream_total')
      .values({
        ...row,
        stream_id: uuidFromId(counted.streamId),
        channel_id: uuidFromId(counted.channelId),
        likes_max: 900,
        viewers_now: 70,
        last_sequence: 10,
        last_event_at: new Date(STARTED_AT),
      })
      .execute();
    const totals = await streamTotals(deps(), [empty.streamId, counted.streamId]);
    const { likes_sampled: likesSampled, viewers_max: viewersMax, ...same } = row;
    expect([...totals]).toEqual([
      [empty.streamId, nothing(empty.streamId)],
      [
        counted.streamId,
        {
          ...same,
          likesSampled,
          viewersMax,
          streamId: counted.streamId,
          likesMax: 900,
          viewersNow: 70,
          lastSequence: 10,
          lastEventAt: STARTED_AT,
        },
      ],
    ]);
  });
});

describe('the minutes of a stream', () => {
  it('are those from `from` on and before `to`, oldest first', async () => {
    const { streamId } = await recorded();
    for (const number of [3, 1, 2, 0]) {
      await test.db
        .insertInto('stream_minute')
        .values({
          stream_id: uuidFromId(streamId),
          minute: new Date(STARTED_AT + number * MINUTE_MS),
          events: number + 1,
        })
        .execute();
    }
    const minutes = await streamMinutes(deps(), {
      streamId,
      from: STARTED_AT + MINUTE_MS,
      to: STARTED_AT + 3 * MINUTE_MS,
    });
    expect(minutes).toEqual([
      { ...zeros, minute: STARTED_AT + MINUTE_MS, events: 2 },
      { ...zeros, minute: STARTED_AT + 2 * MINUTE_MS, events: 3 },
    ]);
  });
});

describe('the top gifters of a stream', () => {
  /** Five gifters, the three in the middle with equal coins. */
  async function recordGifters(): Promise<{ recording: Recording; expected: readonly Gifter[] }> {
    const recording = await recorded();
    const coins = [50, 20, 20, 20, 3];
    const users = coins.map((_, index) => viewer(index));
    const members = await record(
      deps(),
      users.map((user, index) =>
        chatAt(recording, { atMs: index, sequence: index + 1, message: 'hi', user }),
      ),
    );
    const expected = users.map((user, index): Gifter => {
      const memberId = members.get(user.userId);
      if (memberId === undefined) throw new Error('the gifter was recorded');
      return { memberId, user, gifts: index + 1, coins: coins[index] ?? 0, lastGiftAt: STARTED_AT + index };
    });
    for (const gifter of expected) {
      await test.db
        .insertInto('stream_gifter')
        .values({
          stream_id: uuidFromId(recording.streamId),
          member_id: uuidFromId(gifter.memberId),
          gifts: gifter.gifts,
          coins: gifter.coins,
          last_gift_at: new Date(gifter.lastGiftAt),
        })
        .execute();
    }
    return {
      recording,
      expected: expected.toSorted((a, b) => b.coins - a.coins || (a.memberId < b.memberId ? -1 : 1)),
    };
  }

  it('come most coins first, page by page, ties included once each', async () => {
    const { recording, expected } = await recordGifters();
    for (const first of [1, 2, 3, 100]) {
      const found: Gifter[] = [];
      let page: GifterPage;
      do {
        const after = found.at(-1);
        page = await topGifters(deps(), {
          streamId: recording.streamId,
          first,
          ...(after === undefined ? {} : { after }),
        });
        found.push(...page.items);
      } while (page.hasMore);
      expect(found).toEqual(expected);
    }
  });

  it('[T-I7] keep their coins and lose their name when erased', async () => {
    const { recording, expected } = await recordGifters();
    const [top, ...others] = expected;
    if (top === undefined) throw new Error('there are five');
    await eraseMember(test.db, top.memberId);
    const page = await topGifters(deps(), { streamId: recording.streamId, first: 5 });
    expect(page).toEqual({ items: [{ ...top, user: null }, ...others], hasMore: false });
  });

  it('come without names when nobody asks for them', async () => {
    const { recording, expected } = await recordGifters();
    const page = await topGifters(deps(), { streamId: recording.streamId, first: 1, users: false });
    expect(page).toEqual({ items: [{ ...expected[0], user: null }], hasMore: true });
  });

  it('have cursors that come back as they were, and foreign ones are refused', () => {
    const place = { coins: 12, memberId: newId('member', STARTED_AT) };
    expect(decodeGifterCursor(encodeGifterCursor(place))).toEqual(place);
    const foreign = [
      '',
      'nonsense',
      Buffer.from(`g1:-1:${place.memberId}`).toString('base64url'),
      Buffer.from('g1:1:ses_00').toString('base64url'),
    ];
    expect(foreign.map(decodeGifterCursor)).toEqual(foreign.map(() => undefined));
  });
});
