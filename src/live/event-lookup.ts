import { selectEventPlace } from '../db/event-place.ts';
import type { HistoryDeps } from '../events/event-page.ts';
import { listEvents } from '../events/history.ts';
import type { StoredEvent } from '../events/stored-event.ts';

/** The stored event of this id and time, replays included; null when there is none. */
export async function findEvent(
  deps: HistoryDeps,
  key: { readonly eventId: string; readonly occurredAt: number },
): Promise<StoredEvent | null> {
  const place = await selectEventPlace(deps.db, key);
  if (place === undefined) return null;
  const { items } = await listEvents(deps, {
    channelId: place.channelId,
    from: key.occurredAt,
    to: key.occurredAt + 1,
    after: { occurredAt: key.occurredAt, sequence: place.sequence - 1 },
    includeReplays: true,
    order: 'ASC',
    first: 1,
  });
  return items.find(({ event }) => event.eventId === key.eventId) ?? null;
}
