import type { Unsubscribe } from '../bus/port.ts';
import type { Logger } from '../lib/logger.ts';

/** One of the readers of a shared source. Called synchronously; must not throw. */
export interface Sink<T> {
  receive(item: T): void;
  /** Items may have been missed. */
  interrupted(): void;
}

interface Entry<T> {
  readonly sinks: Set<Sink<T>>;
  readonly opened: Promise<Unsubscribe>;
}

/**
 * Sources by key, each opened once however many readers it has, and closed when the last one leaves.
 * `open` gets one sink that hands on to all readers and resolves when the source is in force.
 */
export class SharedSources<K, T> {
  readonly #open: (key: K, sink: Sink<T>) => Promise<Unsubscribe>;
  readonly #logger: Logger;
  readonly #entries = new Map<K, Entry<T>>();

  constructor(open: (key: K, sink: Sink<T>) => Promise<Unsubscribe>, logger: Logger) {
    this.#open = open;
    this.#logger = logger;
  }

  /** Resolves when the source is in force. The function it gives takes the sink out at once. */
  async join(key: K, sink: Sink<T>): Promise<() => void> {
    const entry = this.#entries.get(key) ?? this.#enter(key);
    entry.sinks.add(sink);
    try {
      await entry.opened;
    } catch (error) {
      entry.sinks.delete(sink);
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
    return () => this.#leave(key, entry, sink);
  }

  #enter(key: K): Entry<T> {
    const sinks = new Set<Sink<T>>();
    const opened = this.#open(key, {
      receive: (item) => {
        for (const sink of sinks) sink.receive(item);
      },
      interrupted: () => {
        for (const sink of sinks) sink.interrupted();
      },
    });
    const entry = { sinks, opened };
    this.#entries.set(key, entry);
    return entry;
  }

  #leave(key: K, entry: Entry<T>, sink: Sink<T>): void {
    if (!entry.sinks.delete(sink) || entry.sinks.size > 0) return;
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    // Owned here: the reader is gone and nobody waits for it.
    entry.opened
      .then((unsubscribe) => unsubscribe())
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'live.unsubscribe.failed'));
  }

  /** Sources open now. */
  get size(): number {
    return this.#entries.size;
  }
}
