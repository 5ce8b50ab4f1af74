import { pause } from '../lib/pause.ts';
import type { Terminal } from './command.ts';
import { EXIT_CODES, type ExitCode } from './exit-code.ts';

/** How often progress is asked for, in milliseconds. */
const PROGRESS_MS = 500;

/** A replay as far as it is told to the person who waits for it. */
export interface ReplayProgress {
  readonly state: string;
  readonly reason: string | null;
  readonly done: number;
  /** Null until counted. */
  readonly total: number | null;
}

/** Tells the progress of a replay until it has ended, and cancels it when somebody asks to stop. */
export async function followReplay(
  terminal: Terminal,
  replay: { readonly read: () => Promise<ReplayProgress>; readonly cancel: () => Promise<unknown> },
): Promise<ExitCode> {
  const never = new AbortController().signal;
  let cancelled = false;
  for (;;) {
    const progress = await replay.read();
    if (progress.state !== 'LIVE') return endOf(terminal, progress);
    terminal.note(progressLine(progress));
    if (terminal.stopRequested.aborted && !cancelled) {
      cancelled = true;
      await replay.cancel();
    }
    await pause(PROGRESS_MS, cancelled ? never : terminal.stopRequested);
  }
}

/** How far it is, in a line. */
function progressLine({ done, total }: ReplayProgress): string {
  return `replayed ${done} of ${total ?? '…'} events`;
}

/** Says how it ended, and with which code to end. */
function endOf(terminal: Terminal, progress: ReplayProgress): ExitCode {
  if (progress.state === 'ENDED') {
    terminal.print(`${progressLine(progress)}: done.`);
    return EXIT_CODES.OK;
  }
  if (progress.state === 'CANCELLED') {
    terminal.print(`${progressLine(progress)}: cancelled.`);
    return EXIT_CODES.CANCELLED;
  }
  terminal.note(`tallylight: the replay failed${progress.reason === null ? '.' : `: ${progress.reason}`}`);
  return EXIT_CODES.FAILED;
}
