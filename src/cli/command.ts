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
}

/** An option of a command. Without `placeholder` it is a switch. */
export interface OptionSpec {
  readonly name: string;
  readonly placeholder?: string;
  readonly description: string;
  /** What holds when it is not given, in words; null when there is nothing to say. */
  readonly defaultText: string | null;
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
    const sentence = error instanceof Error ? error.message.split(/\. |\n/)[0] : String(error);
    throw new UsageError(`${sentence?.replace(/\.$/, '')}. See: tallylight ${command.name} --help`);
  }
}

/**
 * A whole number typed for an option; `absent` when the option was not given.
 * @throws UsageError
 */
export function wholeNumberOption<Absent>(
  input: CommandInput,
  name: string,
  limits: { readonly min: number; readonly max: number; readonly absent: Absent },
): number | Absent {
  return numberOption(input, name, { ...limits, pattern: /^\d{1,15}$/, kind: 'a whole number' });
}

/**
 * A number with decimals typed for an option; `absent` when the option was not given.
 * @throws UsageError
 */
export function decimalOption<Absent>(
  input: CommandInput,
  name: string,
  limits: { readonly min: number; readonly max: number; readonly absent: Absent },
): number | Absent {
  return numberOption(input, name, { ...limits, pattern: /^\d{1,15}(\.\d{1,6})?$/, kind: 'a number' });
}

function numberOption<Absent>(
  input: CommandInput,
  name: string,
  limits: {
    readonly min: number;
    readonly max: number;
    readonly absent: Absent;
    readonly pattern: RegExp;
    readonly kind: string;
  },
): number | Absent {
  const text = input.text(name);
  if (text === undefined) return limits.absent;
  const value = Number(text);
  if (!limits.pattern.test(text) || value < limits.min || value > limits.max) {
    throw new UsageError(
      `--${name} is "${text}": it must be ${limits.kind} from ${limits.min} to ${limits.max}.`,
    );
  }
  return value;
}

/**
 * One of a list of words typed for an option; `absent` when the option was not given.
 * @throws UsageError
 */
export function choiceOption<Word extends string>(
  input: CommandInput,
  name: string,
  choice: { readonly words: readonly Word[]; readonly absent: Word },
): Word {
  const text = input.text(name);
  if (text === undefined) return choice.absent;
  const word = choice.words.find((candidate) => candidate === text);
  if (word === undefined) {
    throw new UsageError(`--${name} is "${text}": it must be one of ${choice.words.join(', ')}.`);
  }
  return word;
}
