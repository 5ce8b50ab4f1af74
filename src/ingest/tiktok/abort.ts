import { raceAbort } from '../../lib/abort.ts';
import { SourceError } from '../live-source.ts';

/**
 * One attempt's time: ends with the caller's signal or when `timeoutMs` have passed, whichever is first. Everything the
 * attempt waits for hangs on `signal`, so that nothing of it is left when it ends.
 */
export interface AttemptDeadline {
  readonly signal: AbortSignal;
  /** Why the attempt ended early; null while it has not. */
  failure(): SourceError | null;
  /** Settles as `work` does, or rejects at once when the attempt ends. What `work` does after that is ignored. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Frees the timer and the listener. */
  [Symbol.dispose](): void;
}

/** Starts the clock of one attempt to connect. */
export function attemptDeadline(outer: AbortSignal, timeoutMs: number): AttemptDeadline {
  const controller = new AbortController();
  let failure: SourceError | null = null;
  const end = (reason: SourceError) => {
    failure ??= reason;
    controller.abort(failure);
  };
  const onAbort = () => end(new SourceError('ABORTED', 'Connecting was stopped.'));
  const timer = setTimeout(
    () => end(new SourceError('NETWORK', `No connection within ${timeoutMs} ms.`)),
    timeoutMs,
  );
  if (outer.aborted) onAbort();
  else outer.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    failure: () => failure,
    race: (work) => raceAbort(work, controller.signal),
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer.removeEventListener('abort', onAbort);
    },
  };
}
