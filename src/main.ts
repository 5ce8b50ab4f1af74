#!/usr/bin/env -S node --max-semi-space-size=16
import { existsSync } from 'node:fs';
import process from 'node:process';

/** The oldest Node that runs Tallylight: type stripping without a flag, and `Symbol.asyncDispose`. */
const NODE_MAJOR_MIN = 24;

/** Requests to stop that come within this time are one, in milliseconds. */
const SAME_REQUEST_MS = 500;

/** How often to look whether npm is still there, in milliseconds. */
const PARENT_LOOK_MS = 250;

/** Ends the process at once. Only this file does. */
function exit(code: number): never {
  process.exit(code);
}

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `Tallylight needs Node ${NODE_MAJOR_MIN} and this is ${process.versions.node}: start it with npm (npm start, npm run tallylight), which brings the right one.\n`,
  );
  exit(2);
}

// What the shell gives wins over what the file says.
if (existsSync('.env')) process.loadEnvFile('.env');

// Imported after the look at the version: an older Node would stumble over the first modern line in there.
const { runCommandLine } = await import('./cli/run.ts');
const { reportCrash } = await import('./cli/crash.ts');

const stop = new AbortController();
let askedAtMs = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second request means now. One that comes with the first is the same Ctrl-C: from the terminal, and passed on by npm.
    if (stop.signal.aborted && performance.now() - askedAtMs > SAME_REQUEST_MS)
      exit(signal === 'SIGINT' ? 130 : 143);
    if (!stop.signal.aborted) askedAtMs = performance.now();
    stop.abort();
  });
}
if (process.env.npm_lifecycle_event !== undefined) {
  // npm passes SIGTERM on to its shell, which dies of it without telling us. That our parent is gone tells us.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop.abort(), PARENT_LOOK_MS).unref();
}

const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
// A promise that nobody awaited or an error that nobody caught is a bug: what the process still does cannot be trusted.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.once(event, (error: unknown) => {
    reportCrash(error, note);
    exit(1);
  });
}
// The reader of our output went away (as in `tallylight doctor | head`): nothing is left to be told.
process.stdout.on('error', () => exit(0));

const code = await runCommandLine({
  args: process.argv.slice(2),
  env: process.env,
  print: (line) => process.stdout.write(`${line}\n`),
  note,
  stopRequested: stop.signal,
  // Taken only while somebody has files to read again: a closed terminal sends the same signal, and then means stop.
  onReload: (act) => {
    process.on('SIGHUP', act);
    return () => process.off('SIGHUP', act);
  },
});
// Whatever a part left behind (a socket, a timer) must not keep a stopped process alive.
process.stdout.write('', () => exit(code));
