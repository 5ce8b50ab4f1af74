import { rotateSigningKeys } from '../auth/tokens/signing-keys.ts';
import type { Command, CommandContext } from './command.ts';
import { EXIT_CODES, type ExitCode, UsageError } from './exit-code.ts';
import { withFoundation } from './foundation.ts';

/** `tallylight keys rotate`: another key signs access tokens. */
export const keysCommand: Command = {
  name: 'keys',
  summary: 'let another key sign access tokens',
  usage: 'rotate',
  description:
    'Lets the next signing key sign access tokens, makes another next one, and keeps the old one published for 15 minutes,\n' +
    'until the last token it signed has expired. Nobody is signed out; running API processes follow within a minute.\n' +
    'Rotate at your own interval, and twice in a row when a private key may have leaked.\n' +
    'Works on DATABASE_URL, or on the embedded database, also while `tallylight start` runs on it.',
  positionals: { min: 1, max: 1 },
  options: [],
  choices: [],
  examples: ['tallylight keys rotate'],
  logLevel: 'warn',
  run: runKeys,
};

async function runKeys(context: CommandContext): Promise<ExitCode> {
  const { terminal, input } = context;
  const [action] = input.positionals;
  if (action !== 'rotate') throw new UsageError(`keys can be rotated, and nothing else: keys rotate.`);
  return withFoundation(context, 'keys', async (foundation) => {
    const { activeKid, nextKid } = await rotateSigningKeys(foundation);
    terminal.print(`signs now        ${activeKid}`);
    terminal.print(`signs after that ${nextKid}`);
    return EXIT_CODES.OK;
  });
}
