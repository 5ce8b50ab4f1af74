import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../lib/logger.ts';

/** How long all parts together may take to stop, in milliseconds. */
export const STOP_ALL_MS = 5_000;

/** How long one part may take to stop unless it is given more, in milliseconds. */
const STOP_PART_MS = 1_000;

interface RunningPart {
  readonly name: string;
  readonly stopMaxMs: number;
  readonly stop: () => Promise<void>;
}

/** The parts of a process, started one after the other and stopped in reverse, each within its time. */
export class Parts {
  readonly #logger: Logger;
  readonly #running: RunningPart[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Starts a part and remembers how to stop it. What was started before stays running when it throws. */
  async start<T>(
    part: { readonly name: string; readonly stopMaxMs?: number },
    start: () => T | Promise<T>,
    stop: (started: T) => Promise<void>,
  ): Promise<T> {
    const started = await start();
    this.#running.push({
      name: part.name,
      stopMaxMs: part.stopMaxMs ?? STOP_PART_MS,
      stop: () => stop(started),
    });
    this.#logger.debug({ part: part.name }, 'part.started');
    return started;
  }

  /**
   * Stops everything in reverse order. A part that fails or takes too long is logged and left behind; it does not keep
   * the others from stopping. Resolves to the names of the parts that did not stop as they should.
   */
  async stopAll(): Promise<readonly string[]> {
    const failed: string[] = [];
    for (let part = this.#running.pop(); part !== undefined; part = this.#running.pop()) {
      if (!(await this.#stop(part))) failed.push(part.name);
    }
    return failed;
  }

  async #stop(part: RunningPart): Promise<boolean> {
    const timer = new AbortController();
    const timeout = sleep(part.stopMaxMs, 'TIMEOUT' as const, { signal: timer.signal });
    try {
      const outcome = await Promise.race([part.stop(), timeout]);
      if (outcome !== 'TIMEOUT') return true;
      this.#logger.warn({ part: part.name, stopMaxMs: part.stopMaxMs }, 'part.stop_timeout');
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
