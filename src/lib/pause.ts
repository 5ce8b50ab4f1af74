/** Resolves after `ms`, or at once when `signal` is or becomes aborted. Never rejects; leaves no timer behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Resolves in the event loop's next turn: lets sockets and timers of others have theirs between two batches. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * What `work` resolved to, or `'TIMED_OUT'` after `ms`. The work itself goes on; its late failure is the caller's to have
 * handled.
 */
export async function withinMs<T>(work: Promise<T>, ms: number): Promise<T | 'TIMED_OUT'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'TIMED_OUT'>((resolve) => {
    timer = setTimeout(() => resolve('TIMED_OUT'), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
