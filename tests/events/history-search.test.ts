import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventCursor } from '../../src/events/event-cursor.ts';
import type { EventPage } from '../../src/events/event-page.ts';
import { type EventQuery, listEvents, SearchNeedsSessionError } from '../../src/events/history.ts';
import { SEARCH_ROWS_MAX, SEARCH_TEXT_LENGTH_MAX, SearchTextError } from '../../src/events/history-search.ts';
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
  recordStream,
  STARTED_AT,
  testVault,
  viewer,
} from './support/recorded.ts';

let test: TestDatabase;
let vault: Vault;
beforeAll(async () => {
  test = await createTestDatabase();
  vault = testVault(test.db);
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

const search = (query: EventQuery, over: Vault = vault): Promise<EventPage> =>
  listEvents({ db: test.db, vault: over }, query);
const sequencesOf = (page: EventPage) => page.items.map((item) => item.event.sequence);

async function recordTalk(texts: readonly string[]): Promise<Recording> {
  const recording = await recordStream(test.db, { channelId: await recordChannel(test.db) });
  const chats = texts.map((message, index) =>
    chatAt(recording, { atMs: index, sequence: index + 1, message, user: viewer(index % 3) }),
  );
  await record({ db: test.db, vault }, chats);
  return recording;
}

function inSession(recording: Recording, text: string): EventQuery {
  return { channelId: recording.channelId, sessionId: recording.sessionId, text, order: 'ASC', first: 10 };
}

describe('a text search', () => {
  it('finds all words in any order, case and width, as parts of words too', async () => {
    const talk = await recordTalk([
      'Where is the BLUE car?',
      'blue',
      'The cars are ｂｌｕｅ',
      'a ﬁne car',
      'Straße',
    ]);
    expect(sequencesOf(await search(inSession(talk, 'car blue')))).toEqual([1, 3]);
    expect(sequencesOf(await search(inSession(talk, '  BLUE\t')))).toEqual([1, 2, 3]);
    expect(sequencesOf(await search(inSession(talk, 'fine')))).toEqual([4]);
    expect(sequencesOf(await search(inSession(talk, '%')))).toEqual([]);
  });

  it('reads questions beside chat, and nothing else', async () => {
    const talk = await recordTalk(['a rose']);
    const question = eventAt(talk, {
      type: 'QUESTION',
      atMs: 5,
      sequence: 2,
      user: viewer(1),
      payload: { questionId: '1', message: 'which rose?' },
    });
    await record({ db: test.db, vault }, [question, giftAt(talk, { atMs: 6, sequence: 3, coins: 1 })]);
    expect(sequencesOf(await search(inSession(talk, 'rose')))).toEqual([1, 2]);
    expect(sequencesOf(await search({ ...inSession(talk, 'rose'), types: ['QUESTION', 'GIFT'] }))).toEqual([
      2,
    ]);
    expect(sequencesOf(await search({ ...inSession(talk, 'rose'), types: ['GIFT'] }))).toEqual([]);
  });

  it('pages through its matches without loss or repeat, in both orders', async () => {
    const talk = await recordTalk(
      Array.from({ length: 25 }, (_, index) => (index % 2 === 0 ? `apple ${index}` : 'pear')),
    );
    const even = Array.from({ length: 13 }, (_, index) => index * 2 + 1);
    for (const order of ['ASC', 'DESC'] as const) {
      const found: number[] = [];
      let after: EventCursor | null | undefined;
      do {
        const page: EventPage = await search({
          ...inSession(talk, 'apple'),
          order,
          first: 4,
          ...(after ? { after } : {}),
        });
        found.push(...sequencesOf(page));
        expect(page.hasMore).toBe(page.scannedThrough !== null);
        after = page.scannedThrough;
      } while (after !== null);
      expect(found).toEqual(order === 'ASC' ? even : even.toReversed());
    }
  });

  it('says there is no more when the last match ends the page', async () => {
    const talk = await recordTalk(['one', 'one']);
    expect(await search({ ...inSession(talk, 'one'), first: 2 })).toMatchObject({
      hasMore: false,
      scannedThrough: null,
    });
    expect(await search({ ...inSession(talk, 'one'), first: 1 })).toMatchObject({
      hasMore: true,
      scannedThrough: { occurredAt: STARTED_AT, sequence: 1 },
    });
  });

  it('[T-D2] stops at its budget and goes on from there', async () => {
    const talk = await recordTalk(['the needle']);
    // Hay in bulk: the one sealed message again and again under other ids opens for nobody, but is looked at all the same.
    await sql`
      insert into event (event_id, occurred_at, sequence, channel_id, stream_id, session_id, trigger_id, provider, source,
        history, member_id, ingested_at, payload, personal, subject_id)
      select sha256(int8send(number)), occurred_at - number * interval '1 ms', 1 + number, channel_id, stream_id, session_id,
        trigger_id, provider, source, history, member_id, ingested_at, payload, personal, subject_id
      from event, generate_series(1, ${SEARCH_ROWS_MAX + 10}::integer) as number where session_id = ${uuidFromId(talk.sessionId)}
    `.execute(test.db);
    const first = await search(inSession(talk, 'needle'));
    expect(first).toEqual({
      items: [],
      hasMore: true,
      scannedThrough: { occurredAt: STARTED_AT - 11, sequence: 12 },
    });
    if (first.scannedThrough === null) throw new Error('it said where it stopped');
    const second = await search({ ...inSession(talk, 'needle'), after: first.scannedThrough });
    expect(sequencesOf(second)).toEqual([1]);
    expect(second.scannedThrough).toBeNull();
  });

  it('[T-I7] finds nothing that an erased person said, nor what the provider deleted', async () => {
    const recording = await recordStream(test.db, { channelId: await recordChannel(test.db) });
    const members = await record({ db: test.db, vault }, [
      chatAt(recording, { atMs: 0, sequence: 1, message: 'a word', user: viewer(1) }),
      chatAt(recording, { atMs: 1, sequence: 2, message: 'a word', user: viewer(2) }),
      chatAt(recording, { atMs: 2, sequence: 3, message: 'a word', user: viewer(3) }),
    ]);
    const [erased, redacted] = [members.get(viewer(1).userId), members.get(viewer(2).userId)];
    if (erased === undefined || redacted === undefined) throw new Error('both were recorded');
    await eraseMember(test.db, erased);
    await test.db
      .insertInto('message_redaction')
      .values({
        channel_id: uuidFromId(recording.channelId),
        member_id: uuidFromId(redacted),
        redacted_before: new Date(STARTED_AT + 1),
      })
      .execute();
    expect(sequencesOf(await search(inSession(recording, 'word'), testVault(test.db)))).toEqual([3]);
  });

  it('needs a session and at least one word, and no more than it can look for', async () => {
    const talk = await recordTalk(['x']);
    const { sessionId: _, ...channelWide } = inSession(talk, 'x');
    await expect(search(channelWide)).rejects.toThrow(SearchNeedsSessionError);
    await expect(search(inSession(talk, ' \n '))).rejects.toThrow(SearchTextError);
    await expect(search(inSession(talk, 'x'.repeat(SEARCH_TEXT_LENGTH_MAX + 1)))).rejects.toThrow(
      SearchTextError,
    );
  });
});
