import { readFileSync } from 'node:fs';
import { parseConfig } from '../config/parse.ts';
import { systemClock } from '../lib/clock.ts';
import { createLogger } from '../lib/logger.ts';
import { apiCommand } from './api.ts';
import { auditCommand } from './audit.ts';
import { type Command, parseInput, type Terminal } from './command.ts';
import { reportCrash } from './crash.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT_CODES, type ExitCode, exitCodeOf, isForPeople, UsageError } from './exit-code.ts';
import { commandHelp, generalHelp } from './help.ts';
import { ingestCommand } from './ingest.ts';
import { keysCommand } from './keys.ts';
import { migrateCommand } from './migrate.ts';
import { operationsCommand } from './operations.ts';
import { replayCommand } from './replay.ts';
import { setupCodeCommand } from './setup-code.ts';
import { simulateCommand } from './simulate.ts';
import { startCommand } from './start.ts';
import { workerCommand } from './worker.ts';

const COMMANDS: readonly Command[] = [
  startCommand,
  apiCommand,
  ingestCommand,
  workerCommand,
  migrateCommand,
  keysCommand,
  setupCodeCommand,
  operationsCommand,
  auditCommand,
  replayCommand,
  simulateCommand,
  doctorCommand,
];

/**
 * Carries out what was typed. Never throws: a failure is told in one sentence (with a stack in the log only when it is
 * a bug of ours) and becomes the exit code.
 */
export async function runCommandLine(terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(terminal);
  } catch (error) {
    if (isForPeople(error)) terminal.note(`tallylight: ${error.message}`);
    else reportCrash(error, terminal.note);
    return exitCodeOf(error);
  }
}

async function dispatch(terminal: Terminal): Promise<ExitCode> {
  const [name, ...args] = terminal.args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.print(generalHelp(COMMANDS));
    return name === undefined ? EXIT_CODES.USAGE : EXIT_CODES.OK;
  }
  if (name === '--version') {
    terminal.print(version());
    return EXIT_CODES.OK;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    throw new UsageError(
      `there is no command "${name}". Commands: ${COMMANDS.map((known) => known.name).join(', ')}.`,
    );
  }
  if (args.includes('--help') || args.includes('-h')) {
    terminal.print(commandHelp(command));
    return EXIT_CODES.OK;
  }
  const input = parseInput(command, args);
  const { config, warnings } = parseConfig(terminal.env, (path) => readFileSync(path, 'utf8'));
  for (const warning of warnings) terminal.note(`tallylight: ${warning}.`);
  const logger = createLogger(config.logLevel ?? command.logLevel);
  return command.run({ terminal, config, logger, clock: systemClock, input });
}

/** The version in package.json, the only place that has it. */
function version(): string {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
