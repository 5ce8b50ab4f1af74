import type { Command, OptionSpec } from './command.ts';

const EXIT_CODE_LINES = [
  'Exit codes:',
  '  0    done, or stopped when asked to',
  '  1    something Tallylight depends on failed, or doctor found a failing link',
  '  2    the command line or the configuration is wrong',
  '  3    refused: folder in use, port taken, old database schema, unknown session …',
  '  130  cancelled with Ctrl-C before it was done',
];

/** Understood by every command. */
const HELP_OPTION: OptionSpec = { name: 'help', description: 'Show this text.', defaultText: null };

/** The text of `tallylight --help`. */
export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'Tallylight: TikTok LIVE events in, one GraphQL schema out.',
    '',
    'Usage: tallylight <command> [options]',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'tallylight <command> --help tells more about one; tallylight --version names the version.',
    'In a checkout, write `npm run tallylight --` for `tallylight`.',
    'Settings come from environment variables: see docs/configuration.md.',
    '',
    ...EXIT_CODE_LINES,
  ].join('\n');
}

/** The text of `tallylight <command> --help`. */
export function commandHelp(command: Command): string {
  const options = [...command.options, HELP_OPTION];
  const labels = options.map(({ name, placeholder }) =>
    placeholder === undefined ? `--${name}` : `--${name} <${placeholder}>`,
  );
  const width = Math.max(...labels.map((label) => label.length));
  return [
    `Usage: tallylight ${[command.name, command.usage].filter((word) => word !== '').join(' ')}`,
    '',
    command.description,
    '',
    'Options:',
    ...options.map(({ description, defaultText }, index) => {
      const end = defaultText === null ? '' : ` Default: ${defaultText}.`;
      return `  ${(labels[index] ?? '').padEnd(width)}  ${description}${end}`;
    }),
    '',
    ...command.choices.flatMap(({ title, words }) => {
      const widest = Math.max(...words.map(({ name }) => name.length));
      return [`${title}:`, ...words.map(({ name, meaning }) => `  ${name.padEnd(widest)}  ${meaning}`), ''];
    }),
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
    ...EXIT_CODE_LINES,
  ].join('\n');
}
