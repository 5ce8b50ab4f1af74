import { DEDUPE_WINDOW_IDS_MAX, DEDUPE_WINDOW_MS } from '../limits.ts';

/**
 * Remembers a channel's latest event ids: two windows, the older dropped whole when the newer is full or old. So an id is
 * known for at least one window's length or count, and never for more than two.
 */
export class DedupeWindow {
  #newer = new Set<string>();
  #older = new Set<string>();
  #openedAt: number;

  constructor(nowMs: number) {
    this.#openedAt = nowMs;
  }

  /** Begins a new window when this one is full or old. Called once per append, not per event. */
  turn(nowMs: number): void {
    if (this.#newer.size < DEDUPE_WINDOW_IDS_MAX && nowMs - this.#openedAt < DEDUPE_WINDOW_MS) return;
    this.#older = this.#newer;
    this.#newer = new Set();
    this.#openedAt = nowMs;
  }

  /** Remembers `id`. False when it was known already. */
  add(id: string): boolean {
    if (this.#newer.has(id) || this.#older.has(id)) return false;
    this.#newer.add(id);
    return true;
  }
}
