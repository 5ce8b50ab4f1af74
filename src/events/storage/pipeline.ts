import type { UnifiedEvent } from '../unified-event.ts';
import { insertBatch, prepareBatch } from './batch.ts';
import { type IsolationResult, type StoreDeps, storeIsolating } from './isolation.ts';

/**
 * Events per statement. Beyond 500 its fixed cost is no longer felt, and a larger one holds the event loop longer while
 * it is put together.
 */
export const STATEMENT_EVENTS_MAX = 500;

/**
 * Stores events statement by statement: while PostgreSQL works on one, the next is made ready, so that neither side waits
 * for the other. Statements follow each other, two are never under way. From the first that fails on, the rest is
 * stored without looking ahead, and events that are refused for their data stand aside.
 */
export async function storePipelined(
  deps: StoreDeps,
  events: readonly UnifiedEvent[],
): Promise<IsolationResult> {
  if (events.length <= STATEMENT_EVENTS_MAX) return storeIsolating(deps, events);
  let stored = 0;
  let storedEvents = 0;
  let inserting = { events: 0, done: Promise.resolve(0) };
  try {
    for (let from = 0; from < events.length; from += STATEMENT_EVENTS_MAX) {
      const part = events.slice(from, from + STATEMENT_EVENTS_MAX);
      await deps.partitions.ensure(part);
      const batch = await prepareBatch(deps, part);
      stored += await inserting.done;
      storedEvents += inserting.events;
      inserting = { events: part.length, done: insertBatch(deps, batch) };
      // It is awaited above or below; until then its failure must not count as one that nobody looks at.
      inserting.done.catch(() => undefined);
    }
    stored += await inserting.done;
    return { stored, refused: [] };
  } catch {
    // Whatever it was, storing the rest meets it again if it lasts, and knows what to do about it.
    await inserting.done.catch(() => undefined);
  }
  return storeRest(deps, events.slice(storedEvents), stored);
}

/** What was inserted after all by the statement under way at the failure is found there and changes nothing. */
async function storeRest(
  deps: StoreDeps,
  events: readonly UnifiedEvent[],
  storedBefore: number,
): Promise<IsolationResult> {
  let stored = storedBefore;
  const refused: { readonly event: UnifiedEvent; readonly reason: string }[] = [];
  for (let from = 0; from < events.length; from += STATEMENT_EVENTS_MAX) {
    const result = await storeIsolating(deps, events.slice(from, from + STATEMENT_EVENTS_MAX));
    stored += result.stored;
    refused.push(...result.refused);
  }
  return { stored, refused };
}
