import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import type { Vault } from '../privacy/vault.ts';
import type { EventCursor } from './event-cursor.ts';
import type { StoredEvent } from './stored-event.ts';

/** What reading stored events needs. */
export interface HistoryDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
}

/** Some stored events, in the order asked for. */
export interface EventPage {
  readonly items: readonly StoredEvent[];
  /** More may follow: after the last item or, when set, after `scannedThrough`. */
  readonly hasMore: boolean;
  /** How far a text search has looked when it stopped before the end; null when there was none or it saw everything. */
  readonly scannedThrough: EventCursor | null;
}
