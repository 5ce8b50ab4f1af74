/** Where the domain has things done later, so that a test need not wait. */
export interface Scheduler {
  /** Calls `callback` once, after `delayMs`. The returned function cancels; calling it late or twice does nothing. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The event loop's timers. */
export const systemScheduler: Scheduler = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
