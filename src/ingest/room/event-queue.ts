import type { StateChanges } from '../../bus/port.ts';
import type { EventDraft } from '../../events/unified-event.ts';
import type { NormalisedItem } from '../normalise/normaliser.ts';
import { mergeStateChanges } from '../normalise/normaliser-state.ts';

/**
 * The bounded queue between the normaliser and the bus. When the bus is slower than the room, what matters least gives
 * way first, and what is merged is counted:
 *
 * | queue filled to | what happens to an arriving event |
 * |---|---|
 * | below 1/4 | queued as it is |
 * | 1/4 | a JOIN merges with the queued JOIN, a LIKE with the queued LIKE of the same viewer |
 * | 1/2 | all LIKEs merge; a ROOM_USER replaces the queued one, a RAW the queued one of its type |
 * | all | as before, and `full` holds the producer back |
 *
 * Gifts, chats, lifecycle and all other types are never merged or dropped. A merged event takes the place of the later
 * of the two, and so does its producer state: state is never ahead of an event that has not been taken.
 */

/** Events the queue holds before `full` holds the producer back: about 8 MB of chat. */
export const QUEUE_EVENTS_MAX = 8_192;
/**
 * Events of other kinds that may pass a merged one while it collects. Without it a flood without end would carry the
 * same JOIN along at the tail forever.
 */
export const MERGE_SPAN_EVENTS = 1_024;

const MERGED_TYPES = ['JOIN', 'LIKE', 'ROOM_USER', 'RAW'] as const;
type MergedType = (typeof MERGED_TYPES)[number];

/** How many events were merged into others so far, by type. */
export type CoalescedCounts = Readonly<Record<MergedType, number>>;

/** One producer, one consumer. */
export interface EventQueue {
  /** Takes all of `items`, merging under pressure. Never refuses: await `full` before the next push. */
  push(items: readonly NormalisedItem[]): void;
  /** The oldest events, at most `max`, out of the queue. */
  take(max: number): NormalisedItem[];
  /** Null while there is room; at the hard limit a promise that resolves when half of the queue has been taken. */
  readonly full: Promise<void> | null;
  /** Resolves as soon as there is something to take, or the queue is closed. */
  whenNotEmpty(): Promise<void>;
  readonly size: number;
  readonly coalesced: CoalescedCounts;
  /** No more pushes; what is in it may still be taken. Frees everyone who waits. */
  close(): void;
}

export function createEventQueue(options: { readonly eventsMax?: number } = {}): EventQueue {
  return new PressureQueue(options.eventsMax ?? QUEUE_EVENTS_MAX);
}

/** A place in the queue: a doubly linked list, so that a merged event can leave its place in O(1). */
interface Place {
  readonly item: NormalisedItem;
  before: Place | null;
  after: Place | null;
  /** Under which key it may be merged with; null when it may not. */
  readonly slot: string | null;
  /** The queue's count of unmerged events when it was first queued. */
  readonly bornAt: number;
}

class PressureQueue implements EventQueue {
  readonly #eventsMax: number;
  #head: Place | null = null;
  #tail: Place | null = null;
  #size = 0;
  #unmerged = 0;
  #closed = false;
  /** The place to merge with, by slot. */
  readonly #slots = new Map<string, Place>();
  /** The last place that changes a key of the producer state. */
  readonly #lastChange = new Map<string, Place>();
  readonly #coalesced = { JOIN: 0, LIKE: 0, ROOM_USER: 0, RAW: 0 };
  #full: PromiseWithResolvers<void> | null = null;
  #notEmpty: PromiseWithResolvers<void> | null = null;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  get size(): number {
    return this.#size;
  }

  get full(): Promise<void> | null {
    return this.#full === null ? null : this.#full.promise;
  }

  get coalesced(): CoalescedCounts {
    return { ...this.#coalesced };
  }

  push(items: readonly NormalisedItem[]): void {
    for (const item of items) this.#add(item);
    if (this.#size > 0) this.#wakeConsumer();
    if (this.#size >= this.#eventsMax && !this.#closed) this.#full ??= Promise.withResolvers();
  }

  take(max: number): NormalisedItem[] {
    const items: NormalisedItem[] = [];
    while (items.length < max && this.#head !== null) {
      const place = this.#head;
      this.#unlink(place);
      items.push(place.item);
      for (const key of changedKeys(place.item.stateChanges)) {
        if (this.#lastChange.get(key) === place) this.#lastChange.delete(key);
      }
    }
    if (this.#size <= this.#eventsMax / 2) this.#releaseProducer();
    return items;
  }

  whenNotEmpty(): Promise<void> {
    if (this.#size > 0 || this.#closed) return Promise.resolve();
    this.#notEmpty ??= Promise.withResolvers();
    return this.#notEmpty.promise;
  }

  close(): void {
    this.#closed = true;
    this.#releaseProducer();
    this.#wakeConsumer();
  }

  #add(item: NormalisedItem): void {
    const { draft } = item;
    const slot = this.#slotOf(draft);
    const mate = slot === null ? undefined : this.#slots.get(slot);
    if (mate === undefined || this.#unmerged - mate.bornAt > MERGE_SPAN_EVENTS) {
      this.#unmerged += 1;
      this.#link({ item, before: null, after: null, slot, bornAt: this.#unmerged });
      return;
    }
    this.#unlink(mate);
    const stateChanges = this.#mergedState(mate, item.stateChanges);
    const draftOfBoth = merged(mate.item.draft, draft);
    const both = stateChanges === undefined ? { draft: draftOfBoth } : { draft: draftOfBoth, stateChanges };
    this.#link({ item: both, before: null, after: null, slot, bornAt: mate.bornAt });
    // Only these four types have slots.
    this.#coalesced[draft.eventType as MergedType] += 1;
  }

  /** Under which key an event arriving now may be merged; null when it is to be queued as it is. */
  #slotOf(draft: EventDraft): string | null {
    if (this.#size < this.#eventsMax / 4) return null;
    // What is repeated by a reconnect must not be mixed with what happens now.
    const era = draft.history ? 'history' : 'now';
    const isHigh = this.#size >= this.#eventsMax / 2;
    switch (draft.eventType) {
      case 'JOIN':
        return `JOIN ${era}`;
      case 'LIKE':
        return isHigh ? `LIKE ${era}` : `LIKE ${era} ${draft.user?.userId ?? ''}`;
      case 'ROOM_USER':
        return isHigh ? `ROOM_USER ${era}` : null;
      case 'RAW':
        return isHigh ? `RAW ${era} ${draft.payload.rawType}` : null;
      default:
        return null;
    }
  }

  #link(place: Place): void {
    place.before = this.#tail;
    if (this.#tail === null) this.#head = place;
    else this.#tail.after = place;
    this.#tail = place;
    this.#size += 1;
    if (place.slot !== null) this.#slots.set(place.slot, place);
    for (const key of changedKeys(place.item.stateChanges)) this.#lastChange.set(key, place);
  }

  #unlink(place: Place): void {
    if (place.before === null) this.#head = place.after;
    else place.before.after = place.after;
    if (place.after === null) this.#tail = place.before;
    else place.after.before = place.before;
    place.before = null;
    place.after = null;
    this.#size -= 1;
    if (place.slot !== null && this.#slots.get(place.slot) === place) this.#slots.delete(place.slot);
  }

  /**
   * The state changes of `mate` and after them those of its successor: what `mate` changed and an event queued in between
   * changed again is left to that one, or the older value would overwrite the newer.
   */
  #mergedState(mate: Place, later: StateChanges | undefined): StateChanges | undefined {
    const earlier = mate.item.stateChanges;
    if (earlier === undefined) return later;
    const set: Record<string, string> = {};
    for (const [key, value] of Object.entries(earlier.set ?? {})) {
      if (this.#lastChange.get(key) === mate) set[key] = value;
    }
    const remove = (earlier.delete ?? []).filter((key) => this.#lastChange.get(key) === mate);
    return mergeStateChanges([{ set, delete: remove }, later]);
  }

  #wakeConsumer(): void {
    this.#notEmpty?.resolve();
    this.#notEmpty = null;
  }

  #releaseProducer(): void {
    this.#full?.resolve();
    this.#full = null;
  }
}

const NO_KEYS: readonly string[] = [];

function changedKeys(changes: StateChanges | undefined): readonly string[] {
  if (changes === undefined) return NO_KEYS;
  const setKeys = changes.set === undefined ? NO_KEYS : Object.keys(changes.set);
  return changes.delete === undefined ? setKeys : [...changes.delete, ...setKeys];
}

/** The later event, saying what both said. Its person is left out when they were two: neither did all of it. */
function merged(earlier: EventDraft, later: EventDraft): EventDraft {
  const user = earlier.user?.userId === later.user?.userId ? later.user : null;
  if (earlier.eventType === 'JOIN' && later.eventType === 'JOIN') {
    const joinCount = earlier.payload.joinCount + later.payload.joinCount;
    return { ...later, user, payload: { ...later.payload, joinCount } };
  }
  if (earlier.eventType === 'LIKE' && later.eventType === 'LIKE') {
    const likeCount = earlier.payload.likeCount + later.payload.likeCount;
    const totalLikeCount = Math.max(earlier.payload.totalLikeCount, later.payload.totalLikeCount);
    return { ...later, user, payload: { likeCount, totalLikeCount } };
  }
  return later;
}
