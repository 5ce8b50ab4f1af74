import { type EventPageQuery, selectEventPage } from '../db/event-history.ts';
import { UserError } from '../errors/errors.ts';
import { assert } from '../lib/assert.ts';
import type { ChannelId, MemberId, SessionId, StreamId } from '../lib/ids.ts';
import type { EventCursor } from './event-cursor.ts';
import type { EventPage, HistoryDeps } from './event-page.ts';
import { parseSearchText, searchEvents } from './history-search.ts';
import { openEvents, type SealedFields } from './stored-event.ts';
import { type EventType, TRIGGER_IDS } from './unified-event.ts';

/** Events at most on one page. */
export const PAGE_EVENTS_MAX = 100;

/** Which stored events of a channel, in which order. Times are milliseconds since the Unix epoch. */
export interface EventQuery {
  readonly channelId: ChannelId;
  readonly streamId?: StreamId;
  readonly sessionId?: SessionId;
  /** Any of these types; none means none. */
  readonly types?: readonly EventType[];
  /** Occurred at or after. */
  readonly from?: number;
  /** Occurred before. */
  readonly to?: number;
  readonly memberId?: MemberId;
  /** Leaves out gifts whose streak has come to fewer coins; other types are not concerned. As for live events. */
  readonly coinsMin?: number;
  /** All of these words, in any order and case, in the chat and the questions of a session. Needs `sessionId`. */
  readonly text?: string;
  /** Replays repeat what is there already, so they are left out unless asked for or named by `sessionId`. */
  readonly includeReplays?: boolean;
  /** By (time, sequence). */
  readonly order: 'ASC' | 'DESC';
  /** 1 to `PAGE_EVENTS_MAX`. */
  readonly first: number;
  readonly after?: EventCursor;
  /** What to decrypt; everything when not said. Ask for less and the page costs less. */
  readonly fields?: SealedFields;
}

/** Texts are encrypted, so a search reads one session's messages; it cannot look through a whole channel. */
export class SearchNeedsSessionError extends UserError {
  override readonly name = 'SearchNeedsSessionError';
  readonly code = 'SEARCH_NEEDS_SESSION';

  constructor() {
    super('A text search needs a session: name the one to search.');
  }
}

/**
 * A page of a channel's stored events, in time that does not depend on how many there are.
 * @throws SearchNeedsSessionError
 * @throws SearchTextError
 */
export async function listEvents(deps: HistoryDeps, query: EventQuery): Promise<EventPage> {
  assert(query.first >= 1 && query.first <= PAGE_EVENTS_MAX, `a page has 1 to ${PAGE_EVENTS_MAX} events`);
  const fields = query.fields ?? { users: true, texts: true };
  const pageQuery = eventPageQuery(query, fields);
  if (query.text !== undefined) {
    if (query.sessionId === undefined) throw new SearchNeedsSessionError();
    const words = parseSearchText(query.text);
    return searchEvents(deps, { page: pageQuery, words, first: query.first, fields });
  }
  if (query.types?.length === 0) return { items: [], hasMore: false, scannedThrough: null };
  const rows = await selectEventPage(deps.db, pageQuery);
  const items = await openEvents(deps, rows.slice(0, query.first), fields);
  return { items, hasMore: rows.length > query.first, scannedThrough: null };
}

function eventPageQuery(query: EventQuery, fields: SealedFields): EventPageQuery {
  return {
    channelId: query.channelId,
    streamId: query.streamId ?? null,
    sessionId: query.sessionId ?? null,
    memberId: query.memberId ?? null,
    triggerIds: query.types === undefined ? null : [...new Set(query.types)].map((type) => TRIGGER_IDS[type]),
    coinsMin: query.coinsMin ?? null,
    from: query.from ?? null,
    to: query.to ?? null,
    after: query.after ?? null,
    replays: query.includeReplays === true || query.sessionId !== undefined,
    order: query.order,
    rowsMax: query.first + 1, // one more than asked for tells whether there is more
    personal: fields.texts,
  };
}
