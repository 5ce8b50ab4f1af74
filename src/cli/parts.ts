import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../lib/logger.ts';

/** How long all parts together may take to stop, in milliseconds. */
export const STOP_ALL_MS = 5_000;

/** What a part is left at least, however slow those before it were, in milliseconds. */
const STOP_PART_MS = 300;

interface RunningPart {
  readonly name: string;
  readonly reservedMs: number;
  readonly stop: () => Promise<void>;
}

/** The parts of a process, started one after the other and stopped in reverse, each within its time. */
export class Parts {
  readonly #logger: Logger;
  readonly #running: RunningPart[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Starts a part and remembers how to stop it; `reservedMs` is the time that the stopping of others must leave it. What was
   * started before stays running when it throws.
   */
  async start<T>(
    part: { readonly name: string; readonly reservedMs?: number },
    start: () => T | Promise<T>,
    stop: (started: T) => Promise<void>,
  ): Promise<T> {
    const started = await start();
    this.#running.push({
      name: part.name,
      reservedMs: part.reservedMs ?? STOP_PART_MS,
      stop: () => stop(started),
    });
    this.#logger.debug({ part: part.name }, 'part.started');
    return started;
  }

  /**
   * Stops everything in reverse order, within `STOP_ALL_MS`. A part that fails or takes too long is logged and left behind; it does not keep
   * the others from stopping. Resolves to the names of the parts that did not stop as they should.
   */
  async stopAll(): Promise<readonly string[]> {
    const failed: string[] = [];
    const deadline = performance.now() + STOP_ALL_MS;
    for (let part = this.#running.pop(); part !== undefined; part = this.#running.pop()) {
      const reservedMs = this.#running.reduce((sum, waiting) => sum + waiting.reservedMs, 0);
      const maxMs = Math.max(part.reservedMs, deadline - performance.now() - reservedMs);
      if (!(await this.#stop(part, maxMs))) failed.push(part.name);
    }
    return failed;
  }

  async #stop(part: RunningPart, maxMs: number): Promise<boolean> {
    const timer = new AbortController();
    const timeout = sleep(maxMs, 'TIMEOUT' as const, { signal: timer.signal });
    try {
      const outcome = await Promise.race([part.stop(), timeout]);
      if (outcome !== 'TIMEOUT') return true;
      this.#logger.warn({ part: part.name, maxMs: Math.round(maxMs) }, 'part.stop_timeout');
    } catch (error) {
      this.#logger.warn({ part: part.name, err: error }, 'part.stop_failed');
    } finally {
      timer.abort();
      // Its rejection by the abort has no reader any more.
      timeout.catch(() => undefined);
    }
    return false;
  }
}
