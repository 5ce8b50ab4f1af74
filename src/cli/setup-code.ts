import { issueSetupCode } from '../auth/accounts/sign-up.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT_CODES, type ExitCode, RefusedError } from './exit-code.ts';
import { withFoundation } from './foundation.ts';

/** `tallylight setup-code`: the code with which the first administrator signs up. */
export const setupCodeCommand: Command = {
  name: 'setup-code',
  summary: 'print the code that makes the first administrator',
  usage: '',
  description:
    'Prints a fresh setup code, in place of an earlier one: whoever signs up with it becomes the administrator, once, within a\n' +
    'day. Refused once there is an administrator. `start` prints one by itself.\n' +
    'Works on DATABASE_URL, or on the embedded database, also while `tallylight start` runs on it.',
  positionals: { min: 0, max: 0 },
  options: [],
  choices: [],
  examples: ['tallylight setup-code'],
  logLevel: 'warn',
  run: runSetupCode,
};

async function runSetupCode(context: CommandContext): Promise<ExitCode> {
  const { terminal } = context;
  return withFoundation(context, 'setup-code', async (foundation) => {
    const code = await issueSetupCode(foundation);
    if (code === null) {
      throw new RefusedError('there is an administrator already, who can make others administrators.');
    }
    terminal.print(code);
    return EXIT_CODES.OK;
  });
}
