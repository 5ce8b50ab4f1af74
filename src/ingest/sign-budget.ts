/** The budget of requests to the sign server under one key, shared by every worker that uses the key. */
export interface SignBudget {
  /**
   * Takes one request's place.
   * @throws SourceError RATE_LIMITED with `retryAfterMs` when none is left.
   */
  take(): Promise<void>;
  /** No more requests until then (milliseconds since the epoch): the sign server said so. Never shortens a block. */
  block(untilMs: number): Promise<void>;
}
