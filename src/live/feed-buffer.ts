/** What a full buffer does with one more item. */
export interface OverflowPolicy<T> {
  /** Items a reader may be behind. */
  readonly itemsMax: number;
  /** Whether this item may be left out when the reader is too slow; the oldest such goes first. */
  readonly isDroppable: (item: T) => boolean;
  /** Told of each item left out. */
  readonly onDropped: (item: T) => void;
  /** Made when the buffer is full of items that must not be dropped: the reader gets it and the feed ends. */
  readonly overflowError: (lastTaken: T | null) => Error;
}

/**
 * Between a source that pushes and one reader that pulls: an async iterator with a bounded buffer. `push` is synchronous
 * and never throws. `return()` (the reader leaves) takes effect at once, also while `next()` is pending.
 *
 * States: OPEN → ENDED by `return`, `end` or `fail`. What was buffered is handed out after `end`, discarded otherwise.
 */
export class FeedBuffer<T> implements AsyncIterableIterator<T> {
  readonly #policy: OverflowPolicy<T>;
  readonly #onClosed: () => void;
  readonly #items: T[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  #droppable = 0;
  #lastTaken: T | null = null;
  #closed: boolean = false;
  #failure: Error | null = null;

  /** `onClosed` is called once, synchronously, however the feed ends. */
  constructor(policy: OverflowPolicy<T>, onClosed: () => void) {
    this.#policy = policy;
    this.#onClosed = onClosed;
  }

  push(item: T): void {
    if (this.#closed) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#lastTaken = item;
      reader.resolve({ done: false, value: item });
      return;
    }
    const droppable = this.#policy.isDroppable(item);
    if (this.#items.length >= this.#policy.itemsMax && !this.#makeRoom(item, droppable)) return;
    if (droppable) this.#droppable += 1;
    this.#items.push(item);
  }

  /** Whether there is room now for `item`; it may be the one left out, or the feed may end. */
  #makeRoom(item: T, droppable: boolean): boolean {
    if (this.#droppable > 0) {
      const index = this.#items.findIndex(this.#policy.isDroppable);
      for (const dropped of this.#items.splice(index, 1)) this.#policy.onDropped(dropped);
      this.#droppable -= 1;
      return true;
    }
    if (droppable) this.#policy.onDropped(item);
    else this.fail(this.#policy.overflowError(this.#lastTaken));
    return false;
  }

  /** The source is over: what is buffered is still handed out. */
  end(): void {
    this.#close();
  }

  /** Ends the feed with an error, at once: what is buffered is discarded, so that nothing follows a hole. */
  fail(error: Error): void {
    if (this.#closed) return;
    this.#items.length = 0;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#failure = error;
    else reader.reject(error);
    this.#close();
  }

  /** Ends the feed with an error made from the last item the reader took. */
  failAfter(makeError: (lastTaken: T | null) => Error): void {
    this.fail(makeError(this.#lastTaken));
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      if (this.#droppable > 0 && this.#policy.isDroppable(item)) this.#droppable -= 1;
      this.#lastTaken = item;
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      return Promise.reject(failure);
    }
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    const reader = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items.length = 0;
    this.#failure = null;
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.#items.length = 0;
    this.#close();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined });
    this.#onClosed();
  }
}
