import { setImmediate } from 'node:timers/promises';
import { type EventPageQuery, type EventRow, selectEventPage } from '../db/event-history.ts';
import { UserError } from '../errors/errors.ts';
import type { EventCursor } from './event-cursor.ts';
import type { EventPage, HistoryDeps } from './event-page.ts';
import { openEvents, type SealedFields, type StoredEvent } from './stored-event.ts';
import { TRIGGER_IDS } from './unified-event.ts';

/** Messages read and decrypted in one go: about 3 ms of work between two turns of the event loop. */
const CHUNK_ROWS = 500;
/** Messages one search call looks at before it hands back what it has: about 200 ms of work. */
export const SEARCH_ROWS_MAX = 20_000;
/** Characters at most in a search text. */
export const SEARCH_TEXT_LENGTH_MAX = 200;

/** The text to search for holds no word, or is too long. */
export class SearchTextError extends UserError {
  override readonly name = 'SearchTextError';
  readonly code = 'SEARCH_TEXT_INVALID';

  constructor() {
    super(`A search text has at least one word and at most ${SEARCH_TEXT_LENGTH_MAX} characters.`);
  }
}

/**
 * The words of a search, in the form texts are compared in.
 * @throws SearchTextError
 */
export function parseSearchText(text: string): readonly string[] {
  if (text.length > SEARCH_TEXT_LENGTH_MAX) throw new SearchTextError();
  const words = comparable(text)
    .split(/\s+/u)
    .filter((word) => word !== '');
  if (words.length === 0) throw new SearchTextError();
  return [...new Set(words)];
}

/**
 * Reads a session's chat and questions in order, decrypting as it goes, until the page is full, the session is read
 * through, or `SEARCH_ROWS_MAX` messages were looked at. In the last two cases `scannedThrough` says where to go on.
 */
export async function searchEvents(
  deps: HistoryDeps,
  search: {
    readonly page: EventPageQuery;
    readonly words: readonly string[];
    readonly first: number;
    readonly fields: SealedFields;
  },
): Promise<EventPage> {
  const triggerIds = TEXT_TRIGGER_IDS.filter((id) => search.page.triggerIds?.includes(id) ?? true);
  if (triggerIds.length === 0) return { items: [], hasMore: false, scannedThrough: null };
  const found: EventRow[] = [];
  let after: EventCursor | null = search.page.after;
  for (let scanned = 0; scanned < SEARCH_ROWS_MAX; scanned += CHUNK_ROWS) {
    const page: EventPageQuery = { ...search.page, triggerIds, after, personal: true, rowsMax: CHUNK_ROWS };
    const rows = await selectEventPage(deps.db, page);
    const texts = await openEvents(deps, rows, { users: false, texts: true });
    for (const [index, stored] of texts.entries()) {
      const row = rows[index];
      if (row === undefined || !matches(stored, search.words)) continue;
      if (found.length === search.first) return finish(deps, found, search.fields, found.at(-1) ?? null);
      found.push(row);
    }
    if (rows.length < CHUNK_ROWS) return finish(deps, found, search.fields, null);
    after = placeOf(rows.at(-1));
    await setImmediate(); // others get their turn between two chunks
  }
  return finish(deps, found, search.fields, after);
}

async function finish(
  deps: HistoryDeps,
  found: readonly EventRow[],
  fields: SealedFields,
  scannedThrough: EventCursor | null,
): Promise<EventPage> {
  const items = await openEvents(deps, found, fields);
  return { items, hasMore: scannedThrough !== null, scannedThrough: placeOf(scannedThrough) };
}

function placeOf(row: EventCursor | null | undefined): EventCursor | null {
  return row === null || row === undefined ? null : { occurredAt: row.occurredAt, sequence: row.sequence };
}

function matches(stored: StoredEvent, words: readonly string[]): boolean {
  const { event } = stored;
  if (stored.personal !== 'READABLE' || (event.eventType !== 'CHAT' && event.eventType !== 'QUESTION'))
    return false;
  const text = comparable(event.payload.message);
  return words.every((word) => text.includes(word));
}

/** Compatibility forms folded (full-width letters, ligatures), then lower case. */
function comparable(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

const TEXT_TRIGGER_IDS: readonly number[] = [TRIGGER_IDS.CHAT, TRIGGER_IDS.QUESTION];
