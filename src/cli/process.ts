import type { ProcessName } from '../db/process-role.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT_CODES, type ExitCode } from './exit-code.ts';
import { type Foundation, openSharedFoundation } from './foundation.ts';
import { Parts } from './parts.ts';
import { stopRequested } from './stop.ts';

/** A command that runs one kind of part beside others until it is told to stop. Prints what `begin` returns. */
export function partCommand(definition: {
  readonly name: ProcessName;
  readonly summary: string;
  readonly description: string;
  readonly begin: (parts: Parts, foundation: Foundation, context: CommandContext) => Promise<string>;
}): Command {
  return {
    ...definition,
    usage: '',
    description: `${definition.description}\nNeeds DATABASE_URL and REDIS_URL. Run as many as you like. To run everything in one process: tallylight start`,
    positionals: { min: 0, max: 0 },
    options: [],
    choices: [],
    examples: [
      `DATABASE_URL=postgres://db.example/tallylight REDIS_URL=redis://redis.example tallylight ${definition.name}`,
    ],
    logLevel: 'info',
    run: (context) =>
      untilStopped(context, async (parts) => {
        const { config, logger, clock } = context;
        const foundation = await openSharedFoundation(parts, {
          config,
          logger,
          clock,
          command: definition.name,
          process: definition.name,
        });
        context.terminal.note(await definition.begin(parts, foundation, context));
        return { failed: null };
      }),
  };
}

/**
 * Begins, waits until somebody asks to stop or `failed` tells why it cannot go on, and stops what was begun, also when
 * beginning failed.
 */
export async function untilStopped(
  context: CommandContext,
  begin: (parts: Parts) => Promise<{ readonly failed: Promise<string> | null }>,
): Promise<ExitCode> {
  const { terminal, logger } = context;
  const parts = new Parts(logger);
  try {
    const { failed } = await begin(parts);
    const stopped = stopRequested(terminal.stopRequested).then(() => null);
    const failure = await Promise.race(failed === null ? [stopped] : [stopped, failed]);
    if (failure === null) return EXIT_CODES.OK;
    terminal.note(`tallylight: ${failure}`);
    return EXIT_CODES.FAILED;
  } finally {
    const unclean = await parts.stopAll();
    if (unclean.length > 0) terminal.note(`tallylight: did not stop in time: ${unclean.join(', ')}.`);
  }
}
