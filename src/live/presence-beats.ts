import type { EventBus } from '../bus/port.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';

/** How often presence is renewed, and when an entry that was not renewed (its process died) is gone; milliseconds. */
const BEAT_EVERY_MS = 5_000;
const BEAT_TTL_MS = 15_000;
/** Renewals under way at once. */
const BEATS_AT_ONCE_MAX = 64;

/** Any live subscription; and, apart from that, an overlay's connection. */
export type PresenceKind = 'subscriber' | 'overlay';

export interface PresenceEntry {
  readonly channelId: ChannelId;
  readonly kind: PresenceKind;
  readonly connectionId: string;
}

/**
 * Tells all processes who is connected to this one. An entry joined several times (an overlay's subscriptions over one
 * socket) counts once and is gone when the last of them leaves. One timer renews all.
 */
export class PresenceBeats {
  readonly #bus: EventBus;
  readonly #logger: Logger;
  readonly #entries = new Map<string, { readonly entry: PresenceEntry; uses: number }>();
  readonly #timer: NodeJS.Timeout;
  #sweeping: boolean = false;

  constructor(deps: { readonly bus: EventBus; readonly logger: Logger }) {
    this.#bus = deps.bus;
    this.#logger = deps.logger;
    this.#timer = setInterval(() => void this.#sweep(), BEAT_EVERY_MS);
    this.#timer.unref();
  }

  /** Resolves when every process can see the entry. The function it gives takes it away at once. */
  async join(entry: PresenceEntry): Promise<() => void> {
    const key = `${entry.channelId} ${entry.kind} ${entry.connectionId}`;
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { entry, uses: 1 });
    else known.uses += 1;
    if (known === undefined) await this.#beat(entry);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave(key);
    };
  }

  #leave(key: string): void {
    const known = this.#entries.get(key);
    if (known === undefined) return;
    known.uses -= 1;
    if (known.uses > 0) return;
    this.#entries.delete(key);
    // Owned here; should it fail, the entry runs out by itself.
    this.#bus.presence
      .leave(known.entry)
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'presence.leave.failed'));
  }

  async #beat(entry: PresenceEntry): Promise<void> {
    try {
      await this.#bus.presence.beat({ ...entry, ttlMs: BEAT_TTL_MS });
    } catch (error) {
      // Presence is for show: a subscription goes on without it, and the next sweep tries again.
      this.#logger.warn({ err: error }, 'presence.beat.failed');
    }
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const keys = [...this.#entries.keys()];
    for (let start = 0; start < keys.length; start += BEATS_AT_ONCE_MAX) {
      const chunk = keys.slice(start, start + BEATS_AT_ONCE_MAX);
      await Promise.all(
        chunk.map((key) => {
          const known = this.#entries.get(key); // may have left meanwhile
          return known === undefined ? undefined : this.#beat(known.entry);
        }),
      );
    }
    this.#sweeping = false;
  }

  /** Stops renewing and takes every entry away. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.allSettled(entries.map(({ entry }) => this.#bus.presence.leave(entry)));
  }
}
