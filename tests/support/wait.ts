import { setTimeout as sleep } from 'node:timers/promises';

/** How long a condition may take unless the test says otherwise, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** Pause between two looks at the condition, in milliseconds: short enough not to be felt, long enough not to starve the machine. */
const POLL_INTERVAL_MS = 10;

/** How `waitFor` waits: the limit in milliseconds, and what the test was waiting for, in words. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly message?: string;
}

/**
 * Resolves with the probe's value as soon as it is truthy; tests wait on conditions with it, never on time.
 * A probe that throws counts as 'not yet'. Rejects after `timeoutMs`, naming what was waited for and the probe's last error.
 */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${options.message ?? 'the condition'}`, {
        cause: lastError,
      });
    }
    await sleep(POLL_INTERVAL_MS);
  }
}
