import { UserError } from '../errors/errors.ts';
import type { BroadcastOptions } from './broadcast.ts';
import { FAULT_NAMES, FAULTS, type FaultName, type FaultSetting } from './faults.ts';
import { FLOOD_FRAME_MESSAGES, FLOOD_MESSAGE_BYTES } from './flood.ts';
import { DEFAULT_HANDLE, FIXED_HANDLES, HANDLE_STATES } from './handles.ts';
import { VIEWERS_MAX } from './population.ts';
import { SCENARIO_NAMES, SCENARIOS } from './scenarios.ts';

/** An option of `tallylight simulate`. Without `placeholder` it is a switch. */
export interface SimulateOption {
  readonly name: string;
  readonly placeholder?: string;
  readonly description: string;
  /** What holds when it is not given, in words; null when there is nothing to say. */
  readonly defaultText: string | null;
}

/** What was typed, by option name; undefined when it was not given. */
export type TypedOptions = (name: string) => string | undefined;

/** What `tallylight simulate` was asked for: the options of `startSimulator` that have no place in code. */
export interface SimulateSettings extends BroadcastOptions {
  readonly port: number;
  readonly handles: readonly string[];
  readonly faults: readonly FaultSetting[];
}

/** An option that cannot be meant as it was typed; the message is one sentence for the person who typed it. */
export class SimulateOptionError extends UserError {
  override readonly name = 'SimulateOptionError';
  readonly code = 'SIMULATE_OPTION';
}

/** The scenario of `tallylight simulate` and of `tallylight start` without a handle. */
export const DEFAULT_SCENARIO = 'busy';

const DEFAULT_SEED = 1;

/** Highest rate that may be asked for, in messages per second: what one core writes of them. */
const RATE_MAX = 50_000;

/** Longest time that may be asked for, in seconds: a day. */
const SECONDS_MAX = 86_400;

/** TikTok's handles: 2 to 24 letters, digits, underscores and dots. */
const HANDLE_PATTERN = /^[A-Za-z0-9_.]{2,24}$/;
const HANDLES_MAX = 100;

/** A line of help about a word that an option takes. */
export interface Choice {
  readonly name: string;
  readonly meaning: string;
}

/** The words that `--scenario` takes. */
export const SCENARIO_CHOICES: readonly Choice[] = [
  ...Object.entries(SCENARIOS).map(([name, scenario]) => ({
    name,
    meaning: `${scenario.meaning} (${scenario.ratePerSecond}/s, ${scenario.viewers} viewers)`,
  })),
  {
    name: 'flood',
    meaning: `for measuring: frames of ${FLOOD_FRAME_MESSAGES} messages of ${FLOOD_MESSAGE_BYTES} bytes, as fast as they are read`,
  },
  { name: 'none', meaning: 'silence: a room in which nothing happens' },
];

/** The words that `--fault` takes. */
export const FAULT_CHOICES: readonly Choice[] = FAULT_NAMES.map((name) => {
  const fault: (typeof FAULTS)[FaultName] & {
    readonly value?: { readonly name: string; readonly initial: number };
  } = FAULTS[name];
  const value = fault.value === undefined ? '' : ` (=${fault.value.name}, default ${fault.value.initial})`;
  return { name, meaning: `${fault.meaning}${value}` };
});

/** The handles that are always there, for trying what is not a live stream. */
export const HANDLE_CHOICES: readonly Choice[] = Object.entries(FIXED_HANDLES).map(([name, state]) => ({
  name,
  meaning: HANDLE_STATES[state],
}));

/** Every option of `tallylight simulate`, in the order of its help. */
export const SIMULATE_OPTIONS: readonly SimulateOption[] = [
  {
    name: 'scenario',
    placeholder: 'name',
    description: `What happens in the room: ${SCENARIO_CHOICES.map((choice) => choice.name).join(', ')}.`,
    defaultText: DEFAULT_SCENARIO,
  },
  {
    name: 'rate',
    placeholder: 'messages',
    description: 'Messages per second, on average.',
    defaultText: "the scenario's own",
  },
  {
    name: 'viewers',
    placeholder: 'number',
    description: 'How many different viewers there are.',
    defaultText: "the scenario's own",
  },
  {
    name: 'seed',
    placeholder: 'number',
    description: 'The same seed gives the same viewers and messages at the same times.',
    defaultText: `${DEFAULT_SEED}`,
  },
  {
    name: 'handle',
    placeholder: 'list',
    description:
      'The handles that are live, separated by commas. Every handle not listed and not fixed is unknown.',
    defaultText: DEFAULT_HANDLE,
  },
  {
    name: 'port',
    placeholder: 'number',
    description: 'TCP port on 127.0.0.1.',
    defaultText: 'any free one',
  },
  {
    name: 'fault',
    placeholder: 'list',
    description:
      'Things that go wrong, separated by commas: name, or name=value, each with :3 for the next 3 times or :5% for 5 % of the times.',
    defaultText: 'none',
  },
  {
    name: 'end-after',
    placeholder: 'seconds',
    description: 'The stream ends this long after somebody entered.',
    defaultText: 'never',
  },
  {
    name: 'live-again-after',
    placeholder: 'seconds',
    description: 'After its end, the handle goes live again this much later, with a new stream.',
    defaultText: 'never',
  },
  {
    name: 'messages',
    placeholder: 'number',
    description: 'A flood stops after this many messages.',
    defaultText: 'never',
  },
];

/**
 * What was typed, checked.
 * @throws SimulateOptionError for the first option that cannot be meant.
 */
export function parseSimulateOptions(typed: TypedOptions): SimulateSettings {
  return {
    scenario: parseScenario(typed('scenario') ?? DEFAULT_SCENARIO),
    ratePerSecond: parseNumber(typed, { name: 'rate', min: 0.01, max: RATE_MAX, whole: false }),
    viewers: parseNumber(typed, { name: 'viewers', min: 1, max: VIEWERS_MAX, whole: true }),
    seed: parseNumber(typed, { name: 'seed', min: 0, max: 2 ** 32 - 1, whole: true }) ?? DEFAULT_SEED,
    handles: parseHandles(typed('handle') ?? DEFAULT_HANDLE),
    port: parseNumber(typed, { name: 'port', min: 0, max: 65_535, whole: true }) ?? 0,
    faults: list(typed('fault') ?? '').map(parseFault),
    endAfterMs: parseSeconds(typed, 'end-after'),
    liveAgainAfterMs: parseSeconds(typed, 'live-again-after'),
    floodMessagesMax: parseNumber(typed, {
      name: 'messages',
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
    }),
  };
}

function parseScenario(text: string): BroadcastOptions['scenario'] {
  if (text === 'none') return null;
  if (text === 'flood') return text;
  const name = SCENARIO_NAMES.find((candidate) => candidate === text);
  if (name === undefined) throw unknownWord('scenario', text, SCENARIO_CHOICES);
  return name;
}

/** One item of `--fault`: `name[=value][:count | :percent%]`. */
function parseFault(text: string): FaultSetting {
  const match = /^([a-z0-9-]+)(?:=(\d{1,9}))?(?::(\d{1,9})|:(\d{1,3}(?:\.\d{1,3})?)%)?$/.exec(text);
  const name = FAULT_NAMES.find((candidate) => candidate === (match?.[1] ?? text));
  if (name === undefined) throw unknownWord('fault', match?.[1] ?? text, FAULT_CHOICES);
  const [, , value, next, percent] = match ?? [];
  if (match === null || Number(percent ?? 0) > 100 || next === '0') {
    throw new SimulateOptionError(
      `--fault has "${text}": after the name may come =value and then :3 (the next 3 times) or :5% (5 % of the times).`,
    );
  }
  if (value !== undefined && !('value' in FAULTS[name])) {
    throw new SimulateOptionError(`--fault has "${text}": ${name} takes no value.`);
  }
  return {
    name,
    ...(value === undefined ? {} : { value: Number(value) }),
    ...(next === undefined ? {} : { next: Number(next) }),
    ...(percent === undefined ? {} : { probability: Number(percent) / 100 }),
  };
}

function parseHandles(text: string): readonly string[] {
  const handles = list(text).map((item) => item.replace(/^@/, ''));
  const wrong = handles.find((handle) => !HANDLE_PATTERN.test(handle));
  if (wrong !== undefined) {
    throw new SimulateOptionError(
      `--handle has "${wrong}": a handle is 2 to 24 letters, digits, underscores and dots.`,
    );
  }
  if (handles.length === 0 || handles.length > HANDLES_MAX) {
    throw new SimulateOptionError(`--handle must name 1 to ${HANDLES_MAX} handles.`);
  }
  return [...new Set(handles)];
}

function parseSeconds(typed: TypedOptions, name: string): number | null {
  const seconds = parseNumber(typed, { name, min: 0, max: SECONDS_MAX, whole: false });
  return seconds === null ? null : seconds * 1_000;
}

function parseNumber(
  typed: TypedOptions,
  option: { readonly name: string; readonly min: number; readonly max: number; readonly whole: boolean },
): number | null {
  const text = typed(option.name);
  if (text === undefined) return null;
  const value = Number(text);
  const pattern = option.whole ? /^\d{1,16}$/ : /^\d{1,16}(\.\d{1,6})?$/;
  if (!pattern.test(text) || value < option.min || value > option.max) {
    const kind = option.whole ? 'a whole number' : 'a number';
    throw new SimulateOptionError(
      `--${option.name} is "${text}": it must be ${kind} from ${option.min} to ${option.max}.`,
    );
  }
  return value;
}

function list(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function unknownWord(option: string, text: string, choices: readonly Choice[]): SimulateOptionError {
  const words = choices.map((choice) => choice.name).join(', ');
  return new SimulateOptionError(`--${option} has "${text}": it must be one of ${words}.`);
}
