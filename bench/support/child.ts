import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A part of a bench in a process of its own, spoken to over Node's IPC channel, one question at a time. */
export interface BenchChild<Command, Report extends { readonly kind: string }> {
  /** Sends a command without waiting. */
  tell(command: Command): void;
  /** Resolves with the next report of this kind. Rejects when the process ends before. */
  next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>>;
  /** Closes the channel and waits until the process is gone; kills it after 10 s. */
  stop(command: Command): Promise<void>;
}

const STOP_MS_MAX = 10_000;

/** Starts `file` (relative to `bench/`) with these arguments. */
export function startChild<Command, Report extends { readonly kind: string }>(
  file: string,
  args: readonly string[],
): BenchChild<Command, Report> {
  const child = fork(fileURLToPath(new URL(`../${file}`, import.meta.url)), args, {
    // As the scripts of package.json run the product.
    execArgv: ['--max-semi-space-size=16'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return {
    tell: (command) => void child.send(command as object),
    next: (kind) => nextReport(child, file, kind),
    async stop(command) {
      if (child.exitCode !== null) return;
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.send(command as object);
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await gone;
      clearTimeout(kill);
    },
  };
}

function nextReport<Report extends { readonly kind: string }, K extends Report['kind']>(
  child: ChildProcess,
  file: string,
  kind: K,
): Promise<Extract<Report, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    const onMessage = (report: unknown) => {
      // Reports come from our own file, whose type the caller names.
      const known = report as Report;
      if (known.kind !== kind) return;
      settle();
      resolve(known as Extract<Report, { kind: K }>);
    };
    const onExit = (code: number | null) => {
      settle();
      reject(new Error(`${file} ended (${code}) before it reported ${kind}`));
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}
