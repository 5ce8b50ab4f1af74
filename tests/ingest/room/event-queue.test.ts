import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StateChanges } from '../../../src/bus/port.ts';
import type { EventDraft } from '../../../src/events/unified-event.ts';
import type { NormalisedItem } from '../../../src/ingest/normalise/normaliser.ts';
import { mergeStateChanges } from '../../../src/ingest/normalise/normaliser-state.ts';
import { createEventQueue, MERGE_SPAN_EVENTS } from '../../../src/ingest/room/event-queue.ts';
import { message, only, room, user } from '../support/webcast-room.ts';

let lastId = 0;
function item(rawType: string, data: Readonly<Record<string, unknown>>, history = false): NormalisedItem {
  lastId += 1;
  return { draft: only(room().accept([message(rawType, data, { messageId: `${lastId}`, history })])) };
}
const join = (id: string, viewers = 1) =>
  item('WebcastMemberMessage', { action: 1, memberCount: viewers, user: user(id) });
const like = (id: string, count = 1) =>
  item('WebcastLikeMessage', { count, total: String(count), user: user(id) });
const chat = (content: string) => item('WebcastChatMessage', { content, user: user('5') });
const gift = (name: string) =>
  item('WebcastGiftMessage', { giftId: '1', gift: { type: 2, name, diamondCount: 1 }, user: user('5') });
const viewers = (total: number) => item('WebcastRoomUserSeqMessage', { total });
const raw = (rawType: string, level: number) => item(rawType, { level });

const typesOf = (items: readonly NormalisedItem[]) => items.map((one) => one.draft.eventType);
const payloadOf = (one: NormalisedItem | undefined) => one?.draft.payload;

/** A queue of 16 filled to `size` with chats. */
function filledTo(size: number) {
  const queue = createEventQueue({ eventsMax: 16 });
  queue.push(Array.from({ length: size }, (_, index) => chat(`chat ${index}`)));
  return queue;
}

describe('the event queue', () => {
  it('without pressure gives back what it was given, in order', () => {
    const queue = createEventQueue();
    const items = [
      join('1'),
      like('1'),
      chat('a'),
      join('2'),
      viewers(3),
      raw('X', 1),
      raw('X', 2),
      gift('Rose'),
    ];
    queue.push(items);
    expect([...queue.take(3), ...queue.take(100)]).toEqual(items);
    expect([queue.size, queue.take(1), queue.coalesced]).toEqual([
      0,
      [],
      { JOIN: 0, LIKE: 0, ROOM_USER: 0, RAW: 0 },
    ]);
  });

  it('a quarter full merges joins into one, which counts them, and likes per viewer', () => {
    const queue = filledTo(4);
    queue.push([
      join('1', 10),
      like('1', 2),
      join('2', 11),
      like('2', 3),
      like('1', 5),
      join('2', 12),
      viewers(1),
      viewers(2),
    ]);
    queue.take(4);
    const rest = queue.take(100);
    expect(typesOf(rest)).toEqual(['LIKE', 'LIKE', 'JOIN', 'ROOM_USER', 'ROOM_USER']);
    expect(rest.map((one) => one.draft.user?.userId)).toEqual(['2', '1', undefined, undefined, undefined]);
    expect(rest.slice(0, 3).map(payloadOf)).toEqual([
      { likeCount: 3, totalLikeCount: 3 },
      { likeCount: 7, totalLikeCount: 5 },
      { joinCount: 3, viewerCount: 12 },
    ]);
    expect(queue.coalesced).toEqual({ JOIN: 2, LIKE: 1, ROOM_USER: 0, RAW: 0 });
  });

  it('half full merges all likes, and keeps the latest viewer count and the latest RAW of each type', () => {
    const queue = filledTo(8);
    queue.push([like('1', 2), viewers(1), raw('X', 1), raw('Y', 1), like('2', 3), viewers(2), raw('X', 2)]);
    queue.take(8);
    const rest = queue.take(100);
    expect(typesOf(rest)).toEqual(['RAW', 'LIKE', 'ROOM_USER', 'RAW']);
    expect(rest.map(payloadOf)).toEqual([
      { rawType: 'Y', data: { level: 1 } },
      { likeCount: 5, totalLikeCount: 3 },
      { viewerCount: 2, totalViewerCount: 0 },
      { rawType: 'X', data: { level: 2 } },
    ]);
    expect(queue.coalesced).toEqual({ JOIN: 0, LIKE: 1, ROOM_USER: 1, RAW: 1 });
  });

  it('keeps the person of a merged event while it is one person’s', () => {
    const queue = filledTo(4);
    queue.push([join('1'), join('1')]);
    expect(queue.take(100).at(-1)?.draft.user?.userId).toBe('1');
  });

  it('does not mix repeated history with what happens now', () => {
    const queue = filledTo(4);
    queue.push([join('1'), item('WebcastMemberMessage', { action: 1, user: user('2') }, true), join('3')]);
    expect(
      queue
        .take(100)
        .slice(4)
        .map((one) => [one.draft.history, payloadOf(one)]),
    ).toEqual([
      [true, { viewerCount: 0, joinCount: 1 }],
      [false, { viewerCount: 1, joinCount: 2 }],
    ]);
  });

  it('lets a merged event through while the pressure lasts', () => {
    const queue = createEventQueue({ eventsMax: 4 * MERGE_SPAN_EVENTS });
    queue.push(Array.from({ length: MERGE_SPAN_EVENTS }, () => chat('x')));
    for (let round = 0; round < 2 * MERGE_SPAN_EVENTS; round++) {
      queue.push([join(String(round + 1)), chat('y')]);
      queue.take(1);
    }
    const seen = queue.take(10_000).filter((one) => one.draft.eventType === 'JOIN');
    expect(seen.map((one) => (one.draft.eventType === 'JOIN' ? one.draft.payload.joinCount : 0))).toEqual([
      1_025, 1_023,
    ]);
  });

  it('holds the producer back at the hard limit until half is taken', async () => {
    const queue = filledTo(15);
    expect(queue.full).toBeNull();
    queue.push([chat('last')]);
    const { full } = queue;
    let released = false;
    const waiting = full?.then(() => {
      released = true;
    });
    queue.take(7);
    await Promise.resolve();
    expect([released, queue.full === full]).toEqual([false, true]);
    queue.take(1);
    await waiting;
    expect([released, queue.full]).toEqual([true, null]);
  });

  it('wakes the consumer for the first event, and everyone when it closes', async () => {
    const queue = createEventQueue({ eventsMax: 1 });
    const first = queue.whenNotEmpty();
    queue.push([chat('a')]);
    await first;
    await queue.whenNotEmpty();
    const { full } = queue;
    queue.close();
    await full;
    expect(queue.full).toBeNull();
    expect(typesOf(queue.take(5))).toEqual(['CHAT']);
    await queue.whenNotEmpty();
  });
});

describe('[T-D1] a flood', () => {
  it('of 100,000 joins and likes lets all 50 gifts and 200 chats through, in order, and loses no count', () => {
    const queue = createEventQueue();
    const out: NormalisedItem[] = [];
    let pushed = { joins: 0, likes: 0 };
    const important: EventDraft[] = [];
    let sizeMax = 0;
    for (let index = 0; index < 100_000; index++) {
      const one = index % 2 === 0 ? join(String(1 + (index % 5_000))) : like(String(1 + (index % 5_000)), 2);
      pushed =
        index % 2 === 0 ? { ...pushed, joins: pushed.joins + 1 } : { ...pushed, likes: pushed.likes + 2 };
      const items = [one];
      if (index % 2_000 === 0) items.push(gift(`gift ${index}`));
      if (index % 500 === 0) items.push(chat(`chat ${index}`));
      important.push(...items.slice(1).map((kept) => kept.draft));
      queue.push(items);
      sizeMax = Math.max(sizeMax, queue.size);
      if (index % 1_000 === 0) out.push(...queue.take(50)); // far slower than the flood
    }
    expect(sizeMax).toBeLessThan(8_192);
    out.push(...queue.take(100_000));
    expect(
      out.map((one) => one.draft).filter((draft) => draft.eventType === 'GIFT' || draft.eventType === 'CHAT'),
    ).toEqual(important);
    expect(important).toHaveLength(250);
    let joins = 0;
    let likes = 0;
    for (const { draft } of out) {
      if (draft.eventType === 'JOIN') joins += draft.payload.joinCount;
      if (draft.eventType === 'LIKE') likes += draft.payload.likeCount;
    }
    expect({ joins, likes }).toEqual(pushed);
    const { coalesced } = queue;
    expect(coalesced.JOIN + coalesced.LIKE + out.length).toBe(100_250);
  });
});

describe('producer state in the queue', () => {
  it('is never lost, never ahead of an event still in the queue, and ends as without merging', () => {
    const kinds = fc.constantFrom('join', 'like', 'viewers', 'raw', 'chat', 'take');
    const keys = fc.constantFrom('likes', 'last', 'streak:a', 'streak:b');
    const touched = fc.record({
      set: fc.array(keys, { maxLength: 2 }),
      delete: fc.array(keys, { maxLength: 1 }),
    });
    const pool = { join: join('1'), like: like('1'), viewers: viewers(1), raw: raw('X', 1), chat: chat('x') };
    fc.assert(
      fc.property(fc.array(fc.tuple(kinds, touched), { minLength: 10, maxLength: 80 }), (steps) => {
        const queue = createEventQueue({ eventsMax: 8 });
        const given: (StateChanges | undefined)[] = [];
        const pushedAt = new Map<EventDraft, number>();
        const taken: NormalisedItem[] = [];
        for (const [index, [kind, changed]] of steps.entries()) {
          if (kind === 'take') {
            taken.push(...queue.take(1));
            continue;
          }
          const draft = { ...pool[kind].draft };
          pushedAt.set(draft, index);
          // Each value tells which push made it.
          const set = Object.fromEntries(changed.set.map((key) => [key, String(index)]));
          const stateChanges = mergeStateChanges([{ set, delete: changed.delete }]);
          given.push(stateChanges);
          queue.push([stateChanges === undefined ? { draft } : { draft, stateChanges }]);
        }
        const soFar = applied(taken.map((one) => one.stateChanges));
        const rest = queue.take(100);
        const chatsLeft = rest
          .filter((one) => one.draft.eventType === 'CHAT')
          .map((one) => pushedAt.get(one.draft) ?? -1);
        for (const value of soFar.values()) {
          if (value !== null)
            expect(Number(value)).toBeLessThan(Math.min(...chatsLeft, Number.POSITIVE_INFINITY));
        }
        expect(applied([...taken, ...rest].map((one) => one.stateChanges))).toEqual(applied(given));
        expect(typesOf([...taken, ...rest]).filter((type) => type === 'CHAT')).toHaveLength(
          steps.filter(([kind]) => kind === 'chat').length,
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('of a merged event comes with the one that takes its place, after what came in between', () => {
    const queue = filledTo(4);
    const { draft } = join('1');
    const { draft: words } = chat('between');
    queue.push([
      { draft, stateChanges: { set: { last: '1', other: '1' }, delete: ['streak:a'] } },
      { draft: words, stateChanges: { set: { 'streak:a': 'new', last: '2' } } },
      { draft, stateChanges: { set: { last: '3' } } },
    ]);
    expect(
      queue
        .take(100)
        .slice(4)
        .map((one) => one.stateChanges),
    ).toEqual([{ set: { 'streak:a': 'new', last: '2' } }, { set: { other: '1', last: '3' }, delete: [] }]);
  });
});

/** The state after these changes; null is deleted. */
function applied(changes: readonly (StateChanges | undefined)[]): Map<string, string | null> {
  const state = new Map<string, string | null>();
  for (const change of changes) {
    for (const key of change?.delete ?? []) state.set(key, null);
    for (const [key, value] of Object.entries(change?.set ?? {})) state.set(key, value);
  }
  return state;
}
