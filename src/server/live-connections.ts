import { type Access, keepsRights } from '../auth/access.ts';
import { ACCESS_TOPIC } from '../auth/access-topic.ts';
import { credentialId } from '../auth/credential-kind.ts';
import { holderKey, type KnownViewer } from '../auth/viewer.ts';
import type { EventBus, Unsubscribe } from '../bus/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { LIVE_CONNECTIONS_PER_KEY_MAX, REAUTHORISE_EVERY_MS } from './limits.ts';

/** Why a connection is cut: its credential was revoked or may less than before, or is a token that has come to its end. */
export type CutReason = 'REVOKED' | 'EXPIRED';

/** A connection that stays open, or may: a WebSocket, an event stream, a request under way. */
export interface LiveConnection {
  readonly viewer: KnownViewer;
  /** Called at most once. */
  cutOff(reason: CutReason): void;
}

interface Open {
  readonly connection: LiveConnection;
  /** Cuts when the token ends; null for credentials without an end of their own. */
  readonly end: NodeJS.Timeout | null;
}

export interface LiveConnectionsDeps {
  readonly access: Access;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The connections that stay open, by what they came with. Credentials are looked at again when it is told that somebody may
 * do something else, and every few seconds in case it was not; who may less than when they came is cut off.
 */
export class LiveConnections {
  readonly #deps: LiveConnectionsDeps;
  /** By who is capped: a client, a user, or another key, with all they have open. */
  readonly #open = new Map<string, Map<LiveConnection, Open>>();
  readonly #timer: NodeJS.Timeout;
  #told: boolean = false;
  #checking: Promise<void> | null = null;
  #unlisten: Unsubscribe | null = null;

  constructor(deps: LiveConnectionsDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.#check(), REAUTHORISE_EVERY_MS);
    this.#timer.unref();
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#deps.bus.listen(ACCESS_TOPIC, () => void this.#check());
  }

  /** Takes a connection in. Null when the viewer has too many open already. The function it gives takes it out again. */
  add(connection: LiveConnection): (() => void) | null {
    const capKey = holderKey(connection.viewer);
    const known = this.#open.get(capKey) ?? new Map<LiveConnection, Open>();
    if (known.size >= LIVE_CONNECTIONS_PER_KEY_MAX) return null;
    const remove = () => {
      const open = known.get(connection);
      if (open?.end != null) clearTimeout(open.end);
      known.delete(connection);
      if (known.size === 0 && this.#open.get(capKey) === known) this.#open.delete(capKey);
    };
    const end = this.#endOf(connection, () => {
      remove();
      connection.cutOff('EXPIRED');
    });
    known.set(connection, { connection, end });
    this.#open.set(capKey, known);
    return remove;
  }

  #endOf({ viewer }: LiveConnection, act: () => void): NodeJS.Timeout | null {
    if (viewer.kind !== 'USER' || viewer.credential.kind !== 'TOKEN') return null;
    const leftMs = viewer.credential.expiresAtMs - this.#deps.clock.nowMs();
    return setTimeout(act, Math.max(0, leftMs)).unref();
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
      if (this.#open.size > 0) await this.#cutOffRevoked();
    }
  }

  async #cutOffRevoked(): Promise<void> {
    const connections = [...this.#open.values()].flatMap((known) => [...known.keys()]);
    try {
      const now = await this.#deps.access.refresh(connections.map(({ viewer }) => viewer));
      for (const connection of connections) {
        const viewer = now.get(credentialId(connection.viewer));
        if (viewer === undefined || !keepsRights(connection.viewer, viewer)) this.#cut(connection);
      }
    } catch (error) {
      // The next look makes up for it.
      this.#deps.logger.warn({ err: error }, 'access.check.failed');
    }
  }

  #cut(connection: LiveConnection): void {
    const capKey = holderKey(connection.viewer);
    const known = this.#open.get(capKey);
    const open = known?.get(connection);
    // It may have left while the database was asked.
    if (known === undefined || open === undefined) return;
    if (open.end !== null) clearTimeout(open.end);
    known.delete(connection);
    if (known.size === 0) this.#open.delete(capKey);
    connection.cutOff('REVOKED');
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#unlisten?.();
    await this.#checking;
    for (const known of this.#open.values()) {
      for (const { end } of known.values()) if (end !== null) clearTimeout(end);
    }
  }
}
