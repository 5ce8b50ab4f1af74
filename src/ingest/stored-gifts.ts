import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectEventPage } from '../db/event-history.ts';
import { openEvents } from '../events/stored-event.ts';
import { TRIGGER_IDS, type UnifiedEventOf } from '../events/unified-event.ts';
import type { ChannelId, StreamId } from '../lib/ids.ts';
import type { Vault } from '../privacy/vault.ts';

/** A streak that has been quiet for longer is over, whatever comes. */
const STREAK_MS_MAX = 30 * 60 * 1000;

/** The newest gifts looked at: more than a gift storm brings while streaks are open. */
const GIFTS_MAX = 2_000;

/**
 * The stream's gifts of the last half hour as they were published, for a bus that forgot its producer state. A giver or
 * receiver who was erased since, or whose seal is broken, is left out.
 */
export async function readStoredGifts(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault },
  query: { readonly channelId: ChannelId; readonly streamId: StreamId; readonly nowMs: number },
): Promise<readonly UnifiedEventOf<'GIFT'>[]> {
  const rows = await selectEventPage(deps.db, {
    channelId: query.channelId,
    streamId: query.streamId,
    sessionId: null,
    memberId: null,
    triggerIds: [TRIGGER_IDS.GIFT],
    coinsMin: null,
    from: query.nowMs - STREAK_MS_MAX,
    to: null,
    after: null,
    replays: false,
    order: 'DESC',
    rowsMax: GIFTS_MAX,
    personal: true,
  });
  const events = await openEvents(deps, rows, { users: true, texts: true });
  return events.flatMap(({ event }) => (event.eventType === 'GIFT' ? [event] : []));
}
