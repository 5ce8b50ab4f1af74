import { UserError } from '../errors/errors.ts';

/** An operation took longer than it may. What it had begun is not waited for; a mutation may have been carried out. */
export class DeadlineExceededError extends UserError {
  override readonly name = 'DeadlineExceededError';
  readonly code = 'DEADLINE_EXCEEDED';
}

/**
 * What `run` gives, or a rejection once `deadlineMs` have passed or `whenGone` says that nobody waits any more. The signal
 * tells `run` to begin nothing further; what is under way is left to end by itself, and `discard` gets what comes of it.
 * @throws DeadlineExceededError
 */
export async function withDeadline<T>(
  run: (signal: AbortSignal) => T | PromiseLike<T>,
  options: {
    readonly deadlineMs: number;
    readonly whenGone?: ((leave: () => void) => void) | undefined;
    readonly discard?: (late: T) => void;
  },
): Promise<T> {
  const { deadlineMs, whenGone, discard } = options;
  const controller = new AbortController();
  const stopped = Promise.withResolvers<never>();
  let over = false;
  const stop = (message: string) => {
    if (over) return;
    over = true;
    const error = new DeadlineExceededError(message);
    stopped.reject(error);
    controller.abort(error);
  };
  const timer = setTimeout(() => stop(`The operation took longer than ${deadlineMs} ms.`), deadlineMs);
  whenGone?.(() => stop('Nobody waits for the answer any more.'));
  const work = Promise.resolve(run(controller.signal));
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    clearTimeout(timer);
    if (over) work.then(discard, () => undefined);
    over = true;
  }
}
