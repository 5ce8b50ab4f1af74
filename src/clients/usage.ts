import type { Kysely } from 'kysely';
import {
  addDeprecationUsage,
  addOperationUsage,
  selectDeprecationUsage,
  selectOperationUsage,
  type UsageCount,
} from '../db/client-usage.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import type { ClientId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';

const FLUSH_EVERY_MS = 5_000;
/** Different counts that wait to be written; what does not fit is not counted. */
const COUNTS_MAX = 10_000;
const DAY_MS = 86_400_000;

interface Deps {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Counts what clients use, in memory, and adds it to the database every few seconds. A process that dies loses the last
 * seconds; a database that is away costs nothing but memory, up to a limit.
 */
export class ClientUsage {
  readonly #deps: Deps;
  readonly #timer: NodeJS.Timeout;
  #operations = new Map<string, UsageCount>();
  #deprecations = new Map<string, UsageCount>();
  #flushing: Promise<void> = Promise.resolve();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  /** An operation begins to run. */
  countOperation(clientId: ClientId, hash: string): void {
    this.#count(this.#operations, clientId, hash);
  }

  /** A client asked for something deprecated, as in `Type.field`. */
  countDeprecation(clientId: ClientId, coordinate: string): void {
    this.#count(this.#deprecations, clientId, coordinate);
  }

  /** Writes what was counted so far. Never rejects. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  #count(counts: Map<string, UsageCount>, clientId: ClientId, key: string): void {
    add(counts, { clientId, key, day: dayOf(this.#deps.clock.nowMs()), count: 1 });
  }

  async #write(): Promise<void> {
    const { db, logger } = this.#deps;
    const operations = this.#operations;
    const deprecations = this.#deprecations;
    this.#operations = new Map();
    this.#deprecations = new Map();
    try {
      if (operations.size > 0) await addOperationUsage(db, [...operations.values()]);
      operations.clear();
      if (deprecations.size > 0) await addDeprecationUsage(db, [...deprecations.values()]);
    } catch (error) {
      for (const count of operations.values()) add(this.#operations, count);
      for (const count of deprecations.values()) add(this.#deprecations, count);
      logger.warn({ err: error }, 'client.usage.failed');
    }
  }
}

/** How often a client ran its operations since the day, the most used first, 500 at most. */
export function listOperationUsage(
  { db }: Pick<Deps, 'db'>,
  clientId: ClientId,
  sinceDay: string,
): ReturnType<typeof selectOperationUsage> {
  return selectOperationUsage(db, clientId, { sinceDay, limit: 500 });
}

/** What a client used of what is deprecated since the day, the most used first, 100 at most. */
export function listDeprecationUsage(
  { db }: Pick<Deps, 'db'>,
  clientId: ClientId,
  sinceDay: string,
): ReturnType<typeof selectDeprecationUsage> {
  return selectDeprecationUsage(db, clientId, { sinceDay, limit: 100 });
}

function add(counts: Map<string, UsageCount>, added: UsageCount): void {
  const id = `${added.clientId} ${added.key} ${added.day}`;
  const known = counts.get(id);
  if (known === undefined && counts.size >= COUNTS_MAX) return;
  counts.set(id, known === undefined ? added : { ...known, count: known.count + added.count });
}

/** The day in UTC, as in `2026-11-25`, `daysBefore` days before the moment. */
export function dayOf(ms: number, daysBefore = 0): string {
  return new Date(ms - daysBefore * DAY_MS).toISOString().slice(0, 10);
}
