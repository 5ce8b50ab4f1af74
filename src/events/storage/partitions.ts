import type { Kysely } from 'kysely';
import type { Database } from '../../db/connect.ts';
import { createEventPartitions } from '../../db/partition.ts';
import type { UnifiedEvent } from '../unified-event.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Days remembered at most before they are all looked at anew. */
const DAYS_MAX = 1_000;

/** Sees to it that the days of events have partitions, whatever days these are; remembers those that have. */
export class PartitionMemory {
  readonly #db: Kysely<Database>;
  readonly #days = new Set<number>();

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Makes the partitions that the events need and that are not known to be there. */
  async ensure(events: readonly UnifiedEvent[]): Promise<void> {
    const missing = new Set<number>();
    for (const event of events) {
      const day = Math.floor(event.timestamp / DAY_MS);
      if (!this.#days.has(day)) missing.add(day);
    }
    for (const day of missing) {
      await createEventPartitions(this.#db, { from: day * DAY_MS, days: 1 });
      if (this.#days.size >= DAYS_MAX) this.#days.clear();
      this.#days.add(day);
    }
  }

  /** To be called when a partition turned out to be gone (retention removes old ones). */
  forget(): void {
    this.#days.clear();
  }
}
