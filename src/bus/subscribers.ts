import type { Logger } from '../lib/logger.ts';

/**
 * Listeners by topic, called synchronously and in order. One that throws is logged and never stops the others, nor the
 * message after.
 */
export class Subscribers<T> {
  readonly #logger: Logger;
  readonly #topics = new Map<string, Set<(message: T) => void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** Adds a listener; the same function may be added once per returned remover. */
  add(topic: string, listener: (message: T) => void): () => void {
    const own = (message: T) => listener(message);
    const topicListeners = this.#topics.get(topic) ?? new Set();
    topicListeners.add(own);
    this.#topics.set(topic, topicListeners);
    return () => {
      topicListeners.delete(own);
      if (topicListeners.size === 0 && this.#topics.get(topic) === topicListeners) this.#topics.delete(topic);
    };
  }

  emit(topic: string, message: T): void {
    const listeners = this.#topics.get(topic);
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        listener(message);
      } catch (error) {
        // A listener must not throw; its error is a bug of ours, so its stack is worth having.
        this.#logger.error({ err: error }, 'bus.listener_failed');
      }
    }
  }

  clear(): void {
    this.#topics.clear();
  }
}
