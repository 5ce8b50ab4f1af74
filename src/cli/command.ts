import { parseArgs } from 'node:util';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { type ExitCode, UsageError } from './exit-code.ts';

/** The world outside, as the command line sees it. */
export interface Terminal {
  /** What was typed after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of the answer. */
  readonly print: (line: string) => void;
  /** Writes a line about the work: progress, warnings, errors. */
  readonly note: (line: string) => void;
  /** Aborts when somebody asks to stop (Ctrl-C, SIGTERM). */
  readonly stopRequested: AbortSignal;
  /** Calls `act` whenever somebody asks to read files again (SIGHUP), from now on. Returns how to give that up. */
  readonly onReload: (act: () => void) => () => void;
}

/** An option of a command. Without `placeholder` it is a switch. */
export interface OptionSpec {
  readonly name: string;
  readonly placeholder?: string;
  readonly description: string;
  /** What holds when it is not given, in words; null when there is nothing to say. */
  readonly defaultText: string | null;
}

/** Words explained at the end of a command's help. */
export interface ChoiceList {
  readonly title: string;
  readonly words: readonly { readonly name: string; readonly meaning: string }[];
}

/** What was typed for one command: every declared option, undefined when absent. */
export interface CommandInput {
  readonly positionals: readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly given: (name: string) => boolean;
}

/** Everything a command works with. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly input: CommandInput;
}

/** One command of `tallylight`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the command's name, as in `<sessionId> [options]`. */
  readonly usage: string;
  /** What it does, in a few sentences. */
  readonly description: string;
  readonly positionals: { readonly min: number; readonly max: number };
  readonly options: readonly OptionSpec[];
  /** Words that options take, with what they mean; empty for most commands. */
  readonly choices: readonly ChoiceList[];
  readonly examples: readonly string[];
  /** How much it logs unless configured. */
  readonly logLevel: 'warn' | 'info';
  run(context: CommandContext): Promise<ExitCode>;
}

/**
 * What was typed, held against what the command declares.
 * @throws UsageError naming the first thing that does not fit.
 */
export function parseInput(command: Command, args: readonly string[]): CommandInput {
  const { values, positionals } = parseLoosely(command, args);
  if (positionals.length < command.positionals.min) {
    throw new UsageError(
      `\`tallylight ${command.name}\` needs more: tallylight ${command.name} ${command.usage}`,
    );
  }
  const excess = positionals[command.positionals.max];
  if (excess !== undefined) {
    throw new UsageError(
      `\`tallylight ${command.name}\` does not know what to do with "${excess}". See: tallylight ${command.name} --help`,
    );
  }
  return {
    positionals,
    text: (name) => {
      const value = values[name];
      return typeof value === 'string' ? value : undefined;
    },
    given: (name) => values[name] !== undefined,
  };
}

function parseLoosely(
  command: Command,
  args: readonly string[],
): { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] } {
  const options = Object.fromEntries(
    command.options.map(({ name, placeholder }) => [
      name,
      { type: placeholder === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // node:util words these for people ("Unknown option '--x'."); its hints after the first sentence do not fit us.
    const ambiguous =
      error instanceof Error ? /^Option '(.+?)' argument is ambiguous/.exec(error.message) : null;
    if (ambiguous !== null) {
      throw new UsageError(`${ambiguous[1]} needs a value. See: tallylight ${command.name} --help`);
    }
    const sentence = error instanceof Error ? error.message.split(/\. |\n/)[0] : String(error);
    throw new UsageError(`${sentence?.replace(/\.$/, '')}. See: tallylight ${command.name} --help`);
  }
}

/**
 * A number typed for an option; null when the option was not given. Its limits are the business of whoever uses it.
 * @throws UsageError
 */
export function numberOption(input: CommandInput, name: string): number | null {
  const text = input.text(name);
  if (text === undefined) return null;
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) {
    throw new UsageError(`--${name} is "${text}": it must be a number, such as 2 or 0.5.`);
  }
  return Number(text);
}
