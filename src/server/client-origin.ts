import type { Kysely } from 'kysely';
import type { Viewer } from '../auth/viewer.ts';
import { selectOriginAllowed } from '../db/client.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';

const ANSWERS_MAX = 1_000;
const ANSWER_AGE_MAX_MS = 30_000;

/** Whether who asks may do so from a page of this origin; null: from no page. Only clients have origins of their own. */
export function mayCallFrom(viewer: Viewer, origin: string | null): boolean {
  return origin === null || viewer.kind !== 'CLIENT' || viewer.allowedOrigins.has(origin);
}

/**
 * Which origins some client allows: a browser asks before it sends the key, when it is not known yet whose page it is. The
 * request itself is then held to its own client's origins.
 */
export class ClientOrigins {
  readonly #deps: { readonly db: Kysely<Database>; readonly clock: Clock };
  readonly #answers = new Map<string, { readonly allowed: Promise<boolean>; readonly untilMs: number }>();

  constructor(deps: { readonly db: Kysely<Database>; readonly clock: Clock }) {
    this.#deps = deps;
  }

  /** Whether some client allows it. Believed for half a minute. */
  async allows(origin: string): Promise<boolean> {
    if (origin.length > 300) return false;
    const nowMs = this.#deps.clock.nowMs();
    const known = this.#answers.get(origin);
    if (known !== undefined && known.untilMs > nowMs) return known.allowed;
    const allowed = selectOriginAllowed(this.#deps.db, origin);
    this.#answers.delete(origin);
    this.#answers.set(origin, { allowed, untilMs: nowMs + ANSWER_AGE_MAX_MS });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    try {
      return await allowed;
    } catch (error) {
      this.#answers.delete(origin);
      throw error;
    }
  }
}
