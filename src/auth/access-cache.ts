import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Credential } from './credential-kind.ts';
import type { KnownViewer } from './viewer.ts';

/** How long it is believed without a look that a credential opens what it opened, in milliseconds. */
const ENTRY_AGE_MAX_MS = 5_000;
const ENTRIES_MAX = 10_000;

interface Entry {
  readonly viewer: KnownViewer;
  readonly untilMs: number;
}

/**
 * Who came with which credential lately: what makes a signed-in query cost neither a round trip nor a signature. Entries are
 * found by the credential's hash (a copy of the process's memory shows none), last 5 s, never beyond the credential's own end,
 * and are forgotten as soon as it is told that their user may do something else. Refusals are not kept.
 */
export class AccessCache {
  readonly #clock: Clock;
  /** In order of use, the longest unused first. */
  readonly #entries = new Map<string, Entry>();
  #epoch = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Changes with every forgetting: what was looked up before it must not be kept after it. */
  get epoch(): number {
    return this.#epoch;
  }

  get(credential: Credential): KnownViewer | undefined {
    const key = keyOf(credential);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.untilMs <= this.#clock.nowMs()) return undefined;
    this.#entries.set(key, entry);
    return entry.viewer;
  }

  /** Keeps what was looked up since `epoch`, unless something was forgotten meanwhile. */
  put(credential: Credential, viewer: KnownViewer, epoch: number): void {
    if (epoch !== this.#epoch) return;
    const ownEnd =
      viewer.kind === 'USER' && viewer.credential.kind === 'TOKEN' ? viewer.credential.expiresAtMs : Infinity;
    const untilMs = Math.min(this.#clock.nowMs() + ENTRY_AGE_MAX_MS, ownEnd);
    this.#entries.set(keyOf(credential), { viewer, untilMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Forgets what is known of a user; empty: of everybody. */
  forget(userId: string): void {
    this.#epoch += 1;
    for (const [key, { viewer }] of this.#entries) {
      if (userId === '' || (viewer.kind === 'USER' && viewer.userId === userId)) this.#entries.delete(key);
    }
  }
}

function keyOf(credential: Credential): string {
  const text = credential.kind === 'BEARER' ? credential.text : credential.token;
  return createHash('sha256').update(`${credential.kind}\n${text}`, 'utf8').digest('base64url');
}
