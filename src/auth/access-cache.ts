import { hash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Credential } from './credential-kind.ts';
import type { KnownViewer } from './viewer.ts';

/** How long it is believed without a look that a credential opens what it opened, in milliseconds. */
const ENTRY_AGE_MAX_MS = 5_000;
const ENTRIES_MAX = 10_000;
/** How long a credential that opens nothing is refused without a look, in milliseconds. */
const REFUSAL_AGE_MAX_MS = 5_000;
/** How long it is remembered that a credential opened something once, in milliseconds. */
const FAMILIAR_AGE_MAX_MS = 60 * 60_000;

interface Entry {
  readonly viewer: KnownViewer;
  readonly untilMs: number;
}

/**
 * Who came with which credential lately: what makes a signed-in query cost neither a round trip nor a signature. Entries are
 * found by the credential's hash (a copy of the process's memory shows none), last 5 s, never beyond the credential's own end,
 * and are forgotten as soon as it is told that their user may do something else. Refusals last as long, and are forgotten whenever
 * anything is told.
 */
export class AccessCache {
  readonly #clock: Clock;
  /** In order of use, the longest unused first. */
  readonly #entries = new Map<string, Entry>();
  readonly #refused: ExpiringSet;
  readonly #familiar: ExpiringSet;
  #epoch = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refused = new ExpiringSet(clock, REFUSAL_AGE_MAX_MS);
    this.#familiar = new ExpiringSet(clock, FAMILIAR_AGE_MAX_MS);
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
    const key = keyOf(credential);
    this.#familiar.add(key);
    this.#entries.set(key, { viewer, untilMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Keeps that it was looked up since `epoch` and opens nothing, unless something was forgotten meanwhile. */
  refuse(credential: Credential, epoch: number): void {
    const key = keyOf(credential);
    this.#familiar.delete(key);
    if (epoch === this.#epoch) this.#refused.add(key);
  }

  isRefused(credential: Credential): boolean {
    return this.#refused.has(keyOf(credential));
  }

  /** Whether the credential opened something within the last hour, and was not found to open nothing since. */
  isFamiliar(credential: Credential): boolean {
    return this.#familiar.has(keyOf(credential));
  }

  /** Forgets what is known of a user; empty: of everybody. */
  forget(userId: string): void {
    this.#epoch += 1;
    this.#refused.clear();
    for (const [key, { viewer }] of this.#entries) {
      if (userId === '' || (viewer.kind === 'USER' && viewer.userId === userId)) this.#entries.delete(key);
    }
  }
}

/** Names that are kept for a while, the longest kept going first when there are too many. */
class ExpiringSet {
  readonly #clock: Clock;
  readonly #ageMaxMs: number;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock, ageMaxMs: number) {
    this.#clock = clock;
    this.#ageMaxMs = ageMaxMs;
  }

  add(name: string): void {
    this.#untilMs.delete(name);
    this.#untilMs.set(name, this.#clock.nowMs() + this.#ageMaxMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > ENTRIES_MAX && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  has(name: string): boolean {
    const untilMs = this.#untilMs.get(name);
    if (untilMs !== undefined && untilMs > this.#clock.nowMs()) return true;
    this.#untilMs.delete(name);
    return false;
  }

  delete(name: string): void {
    this.#untilMs.delete(name);
  }

  clear(): void {
    this.#untilMs.clear();
  }
}

function keyOf(credential: Credential): string {
  const text = credential.kind === 'BEARER' ? credential.text : credential.token;
  return hash('sha256', `${credential.kind}\n${text}`, 'base64url');
}
