import type { Clock } from '../../lib/clock.ts';
import type { Presence } from '../port.ts';

type Entry = Parameters<Presence['leave']>[0];

/** Who is connected, in this process. Expired entries go when their channel and kind is next looked at. */
export class LocalPresence implements Presence {
  readonly #clock: Clock;
  readonly #places = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async beat(entry: Entry & { readonly ttlMs: number }): Promise<void> {
    const key = placeKey(entry);
    const place = this.#livePlace(key) ?? new Map<string, number>();
    place.set(entry.connectionId, this.#clock.nowMs() + entry.ttlMs);
    this.#places.set(key, place);
  }

  async leave(entry: Entry): Promise<void> {
    const key = placeKey(entry);
    this.#places.get(key)?.delete(entry.connectionId);
    this.#livePlace(key);
  }

  async count(entry: Omit<Entry, 'connectionId'>): Promise<number> {
    return this.#livePlace(placeKey(entry))?.size ?? 0;
  }

  /** The place without its expired entries; undefined, and forgotten, when nobody is left. */
  #livePlace(key: string): Map<string, number> | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    for (const [connectionId, expiresAt] of place) {
      if (expiresAt <= nowMs) place.delete(connectionId);
    }
    if (place.size > 0) return place;
    this.#places.delete(key);
    return undefined;
  }
}

function placeKey(entry: Omit<Entry, 'connectionId'>): string {
  return `${entry.channelId} ${entry.kind}`;
}
