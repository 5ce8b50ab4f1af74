import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnifiedEventOf } from '../../../src/events/unified-event.ts';
import type { SourceMessage } from '../../../src/ingest/live-source.ts';
import {
  CLOSED_STREAKS_MAX,
  OPEN_STREAKS_MAX,
  STREAK_IDLE_MS,
  STREAK_MEMORY_MS,
} from '../../../src/ingest/normalise/gift-streaks.ts';
import type { Normaliser } from '../../../src/ingest/normalise/normaliser.ts';
import { restoreState } from '../../../src/ingest/normalise/normaliser-state.ts';
import type { SessionId, StreamId } from '../../../src/lib/ids.ts';
import {
  common,
  drafts,
  eventUser,
  message,
  NOW,
  OTHER_SESSION,
  only,
  RecordingBus,
  room,
  STREAM,
  user,
} from '../support/webcast-room.ts';

const ROSE = {
  id: '5655',
  name: 'Rose',
  type: 1,
  diamondCount: 1,
  image: { urlList: ['https://p16.example/rose.webp'] },
};
const LION = { id: '6369', name: 'Lion', type: 2, diamondCount: 29_999, image: { urlList: [] } };

interface GiftWords {
  readonly id?: string;
  readonly sender?: string;
  readonly groupId?: string;
  readonly repeatCount?: number;
  readonly repeatEnd?: number;
  readonly gift?: Readonly<Record<string, unknown>> | undefined;
  readonly toUser?: Readonly<Record<string, unknown>> | undefined;
  readonly at?: number;
  readonly history?: boolean;
}

let lastId = 0;
function gift(words: GiftWords): SourceMessage {
  lastId += 1;
  const at = words.at ?? NOW;
  const kind = 'gift' in words ? words.gift : ROSE;
  return message(
    'WebcastGiftMessage',
    {
      common: common(at),
      user: user(words.sender ?? '6100000000000000001'),
      giftId: String(kind?.id ?? ROSE.id),
      gift: kind,
      groupId: words.groupId ?? '1790000000123',
      repeatCount: words.repeatCount ?? 1,
      repeatEnd: words.repeatEnd ?? 0,
      toUser: words.toUser,
    },
    { messageId: words.id ?? `72900${lastId}`, receivedAt: at, history: words.history ?? false },
  );
}

/** Count, running total and whether it is over, of each gift event. */
function steps(batch: ReturnType<Normaliser['accept']>): string[] {
  return drafts(batch).map((draft) => {
    if (draft.eventType !== 'GIFT') return draft.eventType;
    const { giftCount, streakCount, streakActive, streakEnd } = draft.payload;
    return `+${giftCount} =${streakCount} ${streakActive ? 'active' : ''}${streakEnd ? 'end' : ''}`;
  });
}

describe('a gift streak', () => {
  it('books the growth of its maximum: 32 diamonds where the sum of the messages says 83', () => {
    const totals = [5, 14, 32];
    const messages = [
      ...totals.map((repeatCount) => gift({ repeatCount })),
      gift({ repeatCount: 32, repeatEnd: 1 }),
    ];
    expect([...totals, 32].reduce((sum, total) => sum + total)).toBe(83);
    expect(steps(room().accept(messages))).toEqual([
      '+5 =5 active',
      '+9 =14 active',
      '+18 =32 active',
      '+0 =32 end',
    ]);
  });

  it('tells everything about the gift, and names the streak without its giver', () => {
    const draft = only(room().accept([gift({ repeatCount: 3 })]));
    expect(draft.user).toEqual(eventUser('6100000000000000001'));
    expect(draft.payload).toEqual({
      giftId: '5655',
      giftName: 'Rose',
      giftCount: 3,
      coins: 3,
      diamondCount: 1,
      streakId: expect.stringMatching(/^[0-9a-f]{64}$/u),
      streakCount: 3,
      streakCoins: 3,
      streakActive: true,
      streakEnd: false,
      isGiftStreak: true,
      giftImageUrl: 'https://p16.example/rose.webp',
      toUserId: null,
    });
  });

  it('ignores totals that repeat or fall', () => {
    const batch = room().accept([4, 4, 2, 5].map((repeatCount) => gift({ repeatCount })));
    expect(steps(batch)).toEqual(['+4 =4 active', '+1 =5 active']);
  });

  it('of which only the end is seen counts whole', () => {
    expect(steps(room().accept([gift({ repeatCount: 17, repeatEnd: 1 })]))).toEqual(['+17 =17 end']);
  });

  it('closes once after 10 s of silence, without growth', () => {
    const normaliser = room();
    normaliser.accept([gift({ repeatCount: 6 })]);
    expect(steps(normaliser.tick(NOW + STREAK_IDLE_MS - 1))).toEqual([]);
    expect(steps(normaliser.tick(NOW + STREAK_IDLE_MS))).toEqual(['+0 =6 end']);
    expect(steps(normaliser.tick(NOW + 10 * STREAK_IDLE_MS))).toEqual([]);
  });

  it('of a replay is silent by the clock of its recording', () => {
    const replay = room({ source: 'REPLAY' });
    const recordedAt = NOW - 400 * 24 * 60 * 60_000;
    replay.accept([gift({ repeatCount: 6, at: recordedAt })]);
    expect(steps(replay.tick(recordedAt + STREAK_IDLE_MS - 1))).toEqual([]);
    const closing = only(replay.tick(recordedAt + STREAK_IDLE_MS));
    expect([closing.timestamp, closing.ingestedAt]).toEqual([recordedAt, NOW]);
  });

  it('that was closed for silence takes a late, larger end, and says nothing to a late end with the same total', () => {
    const normaliser = room();
    normaliser.accept([gift({ repeatCount: 6 })]);
    normaliser.tick(NOW + STREAK_IDLE_MS);
    const same = gift({ repeatCount: 6, repeatEnd: 1, at: NOW + 60_000 });
    expect(steps(normaliser.accept([same]))).toEqual([]);
    const larger = gift({ repeatCount: 8, repeatEnd: 1, at: NOW + 61_000 });
    expect(steps(normaliser.accept([larger]))).toEqual(['+2 =8 end']);
  });

  it('that was closed for silence opens again when it goes on', () => {
    const normaliser = room();
    normaliser.accept([gift({ repeatCount: 6 })]);
    normaliser.tick(NOW + STREAK_IDLE_MS);
    const later = NOW + 30_000;
    expect(steps(normaliser.accept([gift({ repeatCount: 7, at: later })]))).toEqual(['+1 =7 active']);
    expect(steps(normaliser.tick(later + STREAK_IDLE_MS))).toEqual(['+0 =7 end']);
  });

  it('that the provider ended stays ended when a late step comes', () => {
    const normaliser = room();
    normaliser.accept([gift({ repeatCount: 6, repeatEnd: 1 })]);
    expect(steps(normaliser.accept([gift({ repeatCount: 9 })]))).toEqual(['+3 =9 end']);
    expect(steps(normaliser.finish())).toEqual([]);
  });

  it('closes at a disconnect and before the end of the stream, once', () => {
    const normaliser = room();
    normaliser.accept([gift({ repeatCount: 2 }), gift({ repeatCount: 3, sender: '42' })]);
    expect(steps(normaliser.finish())).toEqual(['+0 =2 end', '+0 =3 end']);
    expect(steps(normaliser.finish())).toEqual([]);
    const ending = room();
    ending.accept([gift({ repeatCount: 2 })]);
    expect(steps(ending.accept([message('WebcastControlMessage', { action: 3 })]))).toEqual([
      '+0 =2 end',
      'STREAM_END',
    ]);
  });

  it('is apart by sender, gift, group and receiver', () => {
    const base = { repeatCount: 5 };
    const batch = room().accept([
      gift(base),
      gift({ ...base, sender: '42' }),
      gift({ ...base, groupId: '1790000000999' }),
      gift({ ...base, gift: { ...ROSE, id: '5269', name: 'TikTok' } }),
      gift({ ...base, toUser: { id: '777' } }),
      gift({ ...base, toUser: { id: '778' } }),
      gift(base),
    ]);
    expect(steps(batch)).toEqual(Array.from({ length: 6 }, () => '+5 =5 active'));
    const ids = drafts(batch).map((draft) => (draft.eventType === 'GIFT' ? draft.payload.streakId : ''));
    expect(new Set(ids).size).toBe(6);
    expect(drafts(batch).map((draft) => (draft.eventType === 'GIFT' ? draft.payload.toUserId : ''))).toEqual([
      null,
      null,
      null,
      null,
      '777',
      '778',
    ]);
  });

  it('has one receiver when some of its messages name the host and others name nobody', () => {
    const host = '6743737383858461802';
    const named = gift({ repeatCount: 5, toUser: { id: host } });
    const data = {
      ...(named.content.kind === 'DECODED' ? named.content.data : {}),
      monitorInfo: { anchorId: host },
    };
    const batch = room().accept([gift({ repeatCount: 4 }), { ...named, content: { kind: 'DECODED', data } }]);
    expect(steps(batch)).toEqual(['+4 =4 active', '+1 =5 active']);
  });

  it('never forms of gifts without a group, nor of types that come once', () => {
    const batch = room().accept([
      gift({ groupId: '0', repeatCount: 2 }),
      gift({ groupId: '0', repeatCount: 2 }),
      gift({ gift: LION }),
      gift({ gift: LION }),
      gift({ gift: { ...LION, type: 4 }, groupId: '0' }),
    ]);
    expect(steps(batch)).toEqual(['+2 =2 end', '+2 =2 end', '+1 =1 end', '+1 =1 end', '+1 =1 end']);
    const lion = drafts(batch)[2];
    expect(lion?.payload).toMatchObject({ coins: 29_999, isGiftStreak: false, streakId: lion?.eventId });
  });

  it('keeps its price and name when the end leaves the details out', () => {
    const rose = { ...ROSE, diamondCount: 10 };
    const batch = room().accept([
      gift({ gift: rose, repeatCount: 2 }),
      gift({ gift: undefined, repeatCount: 3, repeatEnd: 1 }),
    ]);
    expect(drafts(batch)[1]?.payload).toMatchObject({ giftName: 'Rose', coins: 10, streakCoins: 30 });
  });

  it('of repeated history only is history to its end; one that goes on live ends live', () => {
    const normaliser = room();
    normaliser.accept([
      gift({ repeatCount: 2, history: true }),
      gift({ sender: '42', repeatCount: 2, history: true }),
    ]);
    normaliser.accept([gift({ sender: '42', repeatCount: 3 })]);
    expect(drafts(normaliser.finish()).map((draft) => [draft.user?.userId, draft.history])).toEqual([
      ['6100000000000000001', true],
      ['42', false],
    ]);
  });

  it('holds its counts inside whole numbers, whatever the message says', () => {
    const hostile = gift({ repeatCount: 2 ** 31 - 1, gift: { ...ROSE, diamondCount: 2 ** 31 - 1 } });
    const { payload } = only(room().accept([hostile])) as UnifiedEventOf<'GIFT'>;
    expect([payload.giftCount, payload.diamondCount, payload.coins]).toEqual([
      1_000_000, 1_000_000, 1_000_000_000_000,
    ]);
    expect(steps(room().accept([gift({ repeatCount: -5 }), gift({ sender: '42', repeatCount: 0 })]))).toEqual(
      ['+1 =1 active', '+1 =1 active'],
    );
  });
});

describe('[T-D1] streaks beyond the limit', () => {
  it('close the oldest open one instead of growing without bound', () => {
    const normaliser = room();
    const groups = Array.from({ length: OPEN_STREAKS_MAX + 2 }, (_, index) => String(index + 1));
    const batch = normaliser.accept(groups.map((groupId) => gift({ groupId, repeatCount: 3 })));
    expect(steps(batch).filter((step) => step === '+0 =3 end')).toHaveLength(2);
    expect(normaliser.finish().items).toHaveLength(OPEN_STREAKS_MAX);
  });

  it('forget the closed ones closed first, and delete the state they left', () => {
    const normaliser = room();
    const bus = new RecordingBus();
    const end = (groupId: string, at = NOW) =>
      bus.append(normaliser.accept([gift({ groupId, repeatEnd: 1, at })]));
    const kept = () => [...bus.state.keys()].filter((key) => key.startsWith('streak:')).length;
    for (let index = 1; index <= CLOSED_STREAKS_MAX; index++) end(String(index));
    expect(kept()).toBe(CLOSED_STREAKS_MAX);
    end('one too many');
    end('takes the first keys along');
    end('takes the last keys along');
    expect(kept()).toBe(CLOSED_STREAKS_MAX - 250 + 2);
    expect(steps(normaliser.accept([gift({ groupId: '252' })]))).toEqual([]); // still known
    expect(steps(normaliser.accept([gift({ groupId: '251' })]))).toEqual(['+1 =1 active']);
  });

  it('are forgotten after half an hour', () => {
    const normaliser = room();
    const bus = new RecordingBus();
    const end = (groupId: string, at: number) =>
      bus.append(normaliser.accept([gift({ groupId, repeatEnd: 1, at })]));
    end('a', NOW);
    end('b', NOW + 1);
    expect(steps(normaliser.accept([gift({ groupId: 'a', at: NOW + STREAK_MEMORY_MS - 1 })]))).toEqual([]);
    end('c', NOW + STREAK_MEMORY_MS);
    end('d', NOW + STREAK_MEMORY_MS);
    const kept = () => [...bus.state.keys()].filter((key) => key.startsWith('streak:'));
    const [ofB, ...ofOthers] = kept();
    expect(ofOthers).toHaveLength(2);
    end('e', NOW + STREAK_MEMORY_MS + 1);
    end('f', NOW + STREAK_MEMORY_MS + 1);
    expect(kept()).toHaveLength(4);
    expect(kept()).not.toContain(ofB);
  });
});

describe('the state of streaks', () => {
  it('names nobody once they are closed, and nothing of another stream is taken from it', () => {
    const bus = new RecordingBus();
    const normaliser = room();
    bus.append(normaliser.accept([gift({ repeatCount: 6 })]));
    expect([...bus.state.values()].join()).toContain('6100000000000000001');
    bus.append(normaliser.finish());
    expect([...bus.state.values()].join()).not.toMatch(/6100000000000000001|handle_|Name of/u);
    const otherStream = `str_${'e'.repeat(32)}` as StreamId; // the form that parseId accepts
    const restored = restoreState({
      streamId: otherStream,
      busState: bus.state,
      storedGifts: [],
      storedLikesMax: 0,
    });
    expect(restored).toEqual({
      streaks: [],
      likesMax: 0,
      lastArrivedAt: null,
      staleKeys: [...bus.state.keys()].filter((key) => key.startsWith('streak:')),
    });
    bus.append(room({ streamId: otherStream, restored }).accept([gift({ repeatCount: 1 })]));
    expect([...bus.state.keys()].filter((key) => key.startsWith('streak:'))).toHaveLength(1);
  });

  it('closes a streak after a restart with the same event as before it, giver included', () => {
    const bus = new RecordingBus();
    const before = room();
    bus.append(before.accept([gift({ repeatCount: 6 })]));
    const restored = restoreState({
      streamId: STREAM,
      busState: bus.state,
      storedGifts: [],
      storedLikesMax: 0,
    });
    const closing = only(before.tick(NOW + STREAK_IDLE_MS));
    const after = room({ sessionId: OTHER_SESSION, restored });
    const again = only(after.tick(NOW + STREAK_IDLE_MS));
    expect(again).toEqual({ ...closing, sessionId: OTHER_SESSION });
    expect(again.user).toEqual(eventUser('6100000000000000001'));
  });

  it('that is damaged is as good as none', () => {
    const busState = new Map([
      ['streak:a', '{'],
      ['streak:b', '[]'],
      ['streak:c', JSON.stringify({ streamId: STREAM, count: 'many', arrivedAt: NOW })],
      ['likes', 'nonsense'],
      ['last', `${STREAM} soon`],
    ]);
    expect(restoreState({ streamId: STREAM, busState, storedGifts: [], storedLikesMax: 7 })).toEqual({
      streaks: [],
      likesMax: 7,
      lastArrivedAt: null,
      staleKeys: ['streak:a', 'streak:b', 'streak:c'],
    });
  });

  it('is not changed by a replay', () => {
    const replay = room({ source: 'REPLAY' });
    const batches = [
      replay.accept([gift({ repeatCount: 6 }), message('WebcastLikeMessage', { total: '9', count: 1 })]),
      replay.finish(),
    ];
    expect(batches.flatMap((batch) => batch.items.map((item) => item.stateChanges))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

/** A streak as it truly was: its running totals, of which some are told. */
interface TrueStreak {
  readonly sender: string;
  readonly groupId: string;
  readonly price: number;
  readonly guest: string | null;
  readonly totals: readonly number[];
  readonly isEndTold: boolean;
}

interface Told {
  readonly streak: TrueStreak;
  readonly total: number;
  readonly isEnd: boolean;
  readonly message: SourceMessage;
}

const trueStreak = fc.record({
  sender: fc.constantFrom('11', '22', '6100000000000000001'),
  price: fc.constantFrom(1, 5, 99),
  guest: fc.constantFrom(null, '777'),
  growths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
  isEndTold: fc.boolean(),
});

/** What happens before a message is delivered. */
const happening = fc.constantFrom(
  'nothing',
  'nothing',
  'nothing',
  'duplicate', // the provider sends the message before it once more
  'silence', // 12 s pass
  'reconnect', // a clean disconnect, history repeated
  'crash, the bus remembers',
  'crash, the database remembers',
);

const scenario = fc.record({
  streaks: fc.array(trueStreak, { minLength: 1, maxLength: 5 }),
  lone: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  order: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
  happenings: fc.array(happening, { minLength: 40, maxLength: 40 }),
  repeated: fc.array(fc.nat({ max: 8 }), { minLength: 40, maxLength: 40 }),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

function truth(played: Scenario): TrueStreak[] {
  const streaks = played.streaks.map(({ growths, ...rest }, index) => {
    let total = 0;
    const totals = growths.map((growth) => (total += growth));
    return { ...rest, groupId: String(1_790_000_000_000 + index), totals };
  });
  const lone = played.lone.map((count) => {
    return { sender: '33', groupId: '0', price: 29_999, guest: null, totals: [count], isEndTold: false };
  });
  return [...streaks, ...lone];
}

/** All messages of all streaks, interleaved as `order` says; each streak's own order stands. */
function tell(played: Scenario): Told[] {
  const queues = truth(played).map((streak) => {
    const told = streak.totals.map((total) => ({ streak, total, isEnd: false }));
    const last = streak.totals.at(-1) ?? 0;
    return streak.isEndTold ? [...told, { streak, total: last, isEnd: true }] : told;
  });
  const result: Told[] = [];
  for (let turn = 0; queues.some((queue) => queue.length > 0); turn++) {
    const waiting = queues.filter((queue) => queue.length > 0);
    const next = waiting[(played.order[turn % played.order.length] ?? 0) % waiting.length]?.shift();
    if (next === undefined) break;
    const { streak, total, isEnd } = next;
    const type = streak.groupId === '0' ? 2 : 1;
    result.push({
      ...next,
      message: gift({
        id: `${7_290_000_000 + result.length}`,
        sender: streak.sender,
        groupId: streak.groupId,
        repeatCount: total,
        repeatEnd: isEnd ? 1 : 0,
        gift: { ...ROSE, type, diamondCount: streak.price },
        toUser: streak.guest === null ? undefined : { id: streak.guest },
      }),
    });
  }
  return result;
}

/** Delivers the messages through connections, silences, repeats and crashes to a bus. */
function play(played: Scenario, told: readonly Told[]): RecordingBus {
  const bus = new RecordingBus();
  let nowMs = NOW;
  let sessions = 0;
  const connect = (storedGifts: UnifiedEventOf<'GIFT'>[], busState: ReadonlyMap<string, string>) => {
    sessions += 1;
    return room({
      sessionId: `ses_${String(sessions).padStart(32, '0')}` as SessionId, // the form that parseId accepts
      clock: { nowMs: () => nowMs },
      restored: restoreState({ streamId: STREAM, busState, storedGifts, storedLikesMax: 0 }),
    });
  };
  let normaliser = connect([], new Map());
  const deliver = (from: number, to: number, history: boolean) => {
    const messages = told
      .slice(Math.max(from, 0), to)
      .map((one) => ({ ...one.message, receivedAt: nowMs, history }));
    bus.append(normaliser.accept(messages));
  };
  for (let index = 0; index < told.length; index++) {
    const what = played.happenings[index % played.happenings.length];
    const repeated = played.repeated[index % played.repeated.length] ?? 0;
    nowMs += 300;
    if (what === 'duplicate') deliver(index - 1, index, false);
    if (what === 'silence') {
      nowMs += 12_000;
      bus.append(normaliser.tick(nowMs));
    }
    if (what === 'reconnect') {
      bus.append(normaliser.finish());
      normaliser = connect([], bus.state);
      deliver(index - repeated, index, true);
    }
    if (what === 'crash, the bus remembers') {
      // The last message was read, but the worker died before its events were appended: the history repeats it.
      normaliser.accept(told.slice(index, index + 1).map((one) => one.message));
      normaliser = connect([], bus.state);
      deliver(index - repeated, index, true);
    }
    if (what === 'crash, the database remembers') {
      // In any order.
      normaliser = connect(repeated % 2 === 0 ? bus.gifts() : bus.gifts().toReversed(), new Map());
      deliver(index - repeated, index, true);
    }
    deliver(index, index + 1, false);
  }
  bus.append(normaliser.tick(nowMs + 12_000));
  bus.append(normaliser.finish());
  return bus;
}

describe('the booked total of gifts', () => {
  it('is the true one for any split, duplication, missing end, silence, restart or reconnect', () => {
    fc.assert(
      fc.property(scenario, (played) => {
        const streaks = truth(played);
        const told = tell(played);
        const gifts = play(played, told).gifts();
        const lastOf = (streak: TrueStreak) => streak.totals.at(-1) ?? 0;
        const trueGifts = streaks.reduce((sum, streak) => sum + lastOf(streak), 0);
        const trueCoins = streaks.reduce((sum, streak) => sum + lastOf(streak) * streak.price, 0);
        expect(gifts.reduce((sum, event) => sum + event.payload.giftCount, 0)).toBe(trueGifts);
        expect(gifts.reduce((sum, event) => sum + event.payload.coins, 0)).toBe(trueCoins);

        const byStreak = Map.groupBy(gifts, (event) => event.payload.streakId);
        expect(byStreak.size).toBe(streaks.length);
        for (const events of byStreak.values()) {
          const totals = events.map((event) => event.payload.streakCount);
          expect(totals).toEqual(totals.toSorted((a, b) => a - b));
          const lastGrowth = events.findLastIndex((event) => event.payload.giftCount > 0);
          expect(events.slice(lastGrowth).filter((event) => event.payload.streakEnd)).toHaveLength(1);
          expect(events.at(-1)?.payload.streakEnd).toBe(true);
          expect(events.every((event) => event.payload.streakEnd !== event.payload.streakActive)).toBe(true);
        }

        // What a naive reader of the same messages, each taken once, would have booked.
        const summed = told.reduce((sum, one) => sum + one.total, 0);
        if (told.length > streaks.length) expect(summed).toBeGreaterThan(trueGifts);
        const ends = told.filter((one) => one.isEnd).reduce((sum, one) => sum + one.total, 0);
        if (streaks.some((streak) => !streak.isEndTold)) expect(ends).toBeLessThan(trueGifts);
      }),
      { numRuns: 500 },
    );
  });
});
