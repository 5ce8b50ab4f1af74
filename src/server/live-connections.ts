import type { Kysely } from 'kysely';
import { stillValid } from '../auth/access-keys.ts';
import { ACCESS_TOPIC } from '../auth/access-topic.ts';
import type { EventBus, Unsubscribe } from '../bus/port.ts';
import type { Database } from '../db/connect.ts';
import type { AccessKeyId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { LIVE_CONNECTIONS_PER_KEY_MAX, REAUTHORISE_EVERY_MS } from './limits.ts';

/** A connection that stays open, or may: a WebSocket, an event stream, a request under way. */
export interface LiveConnection {
  readonly accessKeyId: AccessKeyId;
  /** Called once, when the key is no longer valid. */
  cutOff(): void;
}

/**
 * The connections that stay open, by the key they came with. Keys are looked at again when a change of keys is told, and
 * every few seconds in case it was not; a revoked key's connections are cut off.
 */
export class LiveConnections {
  readonly #deps: { readonly db: Kysely<Database>; readonly bus: EventBus; readonly logger: Logger };
  readonly #byKey = new Map<AccessKeyId, Set<LiveConnection>>();
  readonly #timer: NodeJS.Timeout;
  #told: boolean = false;
  #checking: Promise<void> | null = null;
  #unlisten: Unsubscribe | null = null;

  constructor(deps: { readonly db: Kysely<Database>; readonly bus: EventBus; readonly logger: Logger }) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.#check(), REAUTHORISE_EVERY_MS);
    this.#timer.unref();
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#deps.bus.listen(ACCESS_TOPIC, () => void this.#check());
  }

  /** Takes a connection in. Null when the key has too many open already. The function it gives takes it out again. */
  add(connection: LiveConnection): (() => void) | null {
    const known = this.#byKey.get(connection.accessKeyId) ?? new Set();
    if (known.size >= LIVE_CONNECTIONS_PER_KEY_MAX) return null;
    known.add(connection);
    this.#byKey.set(connection.accessKeyId, known);
    return () => this.#remove(connection);
  }

  #remove(connection: LiveConnection): void {
    const known = this.#byKey.get(connection.accessKeyId);
    known?.delete(connection);
    if (known?.size === 0) this.#byKey.delete(connection.accessKeyId);
  }

  /** One look at a time; what is told meanwhile is looked at right after, once. */
  async #check(): Promise<void> {
    this.#told = true;
    this.#checking ??= this.#checkWhileTold().finally(() => {
      this.#checking = null;
    });
    await this.#checking;
  }

  async #checkWhileTold(): Promise<void> {
    while (this.#told) {
      this.#told = false;
      if (this.#byKey.size > 0) await this.#cutOffRevoked();
    }
  }

  async #cutOffRevoked(): Promise<void> {
    try {
      const valid = await stillValid(this.#deps, [...this.#byKey.keys()]);
      for (const [accessKeyId, connections] of [...this.#byKey]) {
        if (valid.has(accessKeyId)) continue;
        this.#byKey.delete(accessKeyId);
        for (const connection of connections) connection.cutOff();
      }
    } catch (error) {
      // The next look makes up for it.
      this.#deps.logger.warn({ err: error }, 'access.check.failed');
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#unlisten?.();
    await this.#checking;
  }
}
