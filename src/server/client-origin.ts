import type { Kysely } from 'kysely';
import type { Viewer } from '../auth/viewer.ts';
import { selectOriginAllowed } from '../db/client.ts';
import type { Database } from '../db/connect.ts';
import type { Clock } from '../lib/clock.ts';
import { addressBlock } from '../limits/address.ts';
import type { Deposits } from '../limits/deposits.ts';
import { ORIGIN_FAILURES } from './limits.ts';

const ANSWERS_MAX = 1_000;
const ANSWER_AGE_MAX_MS = 30_000;

/** Whether who asks may do so from a page of this origin; null: from no page. Only clients have origins of their own. */
export function mayCallFrom(viewer: Viewer, origin: string | null): boolean {
  return origin === null || viewer.kind !== 'CLIENT' || viewer.allowedOrigins.has(origin);
}

interface ClientOriginsDeps {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly deposits: Deposits;
}

/**
 * Which origins some client allows: a browser asks before it sends the key, when it is not known yet whose page it is. The
 * request itself is then held to its own client's origins.
 */
export class ClientOrigins {
  readonly #deps: ClientOriginsDeps;
  readonly #answers = new Map<string, { readonly allowed: Promise<boolean>; readonly untilMs: number }>();

  constructor(deps: ClientOriginsDeps) {
    this.#deps = deps;
  }

  /**
   * Whether some client allows it. Believed for half a minute. Each origin that must be looked up and that none allows is counted against
   * the address that came with it.
   * @throws RateLimitedError after too many of those
   */
  async allows(origin: string, address: string | null): Promise<boolean> {
    if (origin.length > 300) return false;
    const known = this.#answers.get(origin);
    if (known !== undefined && known.untilMs > this.#deps.clock.nowMs()) return known.allowed;
    const key = `refused origin ${addressBlock(address)}`;
    const deposit = this.#deps.deposits.take({ key, points: 1, rule: ORIGIN_FAILURES });
    let allowed: boolean;
    try {
      allowed = await this.#lookUp(origin);
    } catch (error) {
      deposit.release();
      throw error;
    }
    if (allowed) deposit.release();
    else await deposit.forfeit();
    return allowed;
  }

  async #lookUp(origin: string): Promise<boolean> {
    const allowed = selectOriginAllowed(this.#deps.db, origin);
    this.#answers.delete(origin);
    this.#answers.set(origin, { allowed, untilMs: this.#deps.clock.nowMs() + ANSWER_AGE_MAX_MS });
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
