import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** How long a child may take to end by itself, in milliseconds; what still runs then has left something behind. */
const EXIT_WAIT_MS = 10_000;

/** Starts a script of the tests with this Node. */
export function startChild(script: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What a child prints, as it comes. */
export function outputOf(child: ChildProcess): { readonly text: () => string } {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { text: () => text };
}

/** Runs a script until it ends by itself; one that does not is killed, and its signal tells. */
export async function runToExit(script: string, args: readonly string[]) {
  const child = startChild(script, args);
  const output = outputOf(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_WAIT_MS);
  // The documented arguments of `close`.
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, output: output.text() };
}
