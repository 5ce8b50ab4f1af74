import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { waitFor } from './wait.ts';

/** How long a stop may take before it is forced, in milliseconds. */
const STOP_MS = 8_000;

const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts');

/** A running `tallylight` under plain node, as a user starts it. */
export interface TallylightProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, once it has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Resolves when the output (both streams) matches; fails with all of it when the process ends before. */
  seen(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Sends `signal` and resolves as `ended` does; forces it when that takes too long. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts `tallylight` with nothing of our environment but what every program needs, and `env`. Stopped when disposed.
 * The working directory is one without a `.env`.
 */
export function tallylight(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TallylightProcess {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: path.dirname(MAIN),
    env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const code = await ended;
    clearTimeout(killer);
    return code;
  };
  return {
    child,
    stop,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    seen: (pattern, timeoutMs = 60_000) =>
      waitFor(
        () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match === null && child.exitCode !== null) return 'ENDED' as const;
          return match;
        },
        { timeoutMs, message: `${pattern} of tallylight ${args.join(' ')}` },
      ).then((match) => {
        if (match === 'ENDED') throw new Error(`tallylight ${args.join(' ')} ended:\n${stdout}\n${stderr}`);
        return match;
      }),
    [Symbol.asyncDispose]: async () => {
      // First gently: what it started itself (PostgreSQL) must not be left behind by a failing test.
      await stop();
    },
  };
}

/** Runs `tallylight` to its end. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  await using started = tallylight(args, env);
  const code = await started.ended;
  return { code, stdout: started.stdout(), stderr: started.stderr() };
}
