import { UserError } from '../errors/errors.ts';
import type { Config } from './config.ts';
import { configOf } from './config.ts';
import type { Variable } from './variable.ts';
import { VARIABLES, type VariableName, type VariableValues } from './variables.ts';

/** The configuration cannot be used. `problems` has one sentence per variable that is wrong. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError';
  override readonly code = 'CONFIG_INVALID';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** Variables with these beginnings are ours: one that we do not know is a likely slip of the pen. */
const OWN_PREFIXES = ['TALLYLIGHT_', 'TIKTOK_'];

/** Ends the name of a variable that names the file a secret is in. */
const FILE_SUFFIX = '_FILE';

export interface ParsedConfig {
  readonly config: Config;
  /** Sentences about variables that are ours by name and mean nothing. */
  readonly warnings: readonly string[];
}

/**
 * The configuration as one frozen tree. Pure: it depends on its arguments alone. An empty variable counts as unset.
 * @param env the environment.
 * @param readTextFile gives the text of the file that a `…_FILE` variable names; it may throw.
 * @throws ConfigError naming every variable that is wrong, what was given (never a secret) and what is allowed.
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  readTextFile: (path: string) => string,
): ParsedConfig {
  const problems: string[] = [];
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of variableNames()) {
    const text = textOf(name, env, readTextFile, problems);
    values[name] = text === null ? null : readValue(name, text, problems);
  }
  // Every name was just given what its own `read` returned, or null without a default; where `read` refused,
  // a problem stands in the list and the values are not used.
  const settled = values as VariableValues;
  if (problems.length === 0) problems.push(...contradictions(settled));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: configOf(settled), warnings: unknownVariables(env) };
}

/** The names in the table's order. */
export function variableNames(): readonly VariableName[] {
  return Object.keys(VARIABLES) as VariableName[]; // the table is a constant without further keys
}

function textOf(
  name: VariableName,
  env: Readonly<Record<string, string | undefined>>,
  readTextFile: (path: string) => string,
  problems: string[],
): string | null {
  const given = env[name] || null;
  const { secret, defaultText } = VARIABLES[name];
  const path = secret ? env[name + FILE_SUFFIX] || null : null;
  if (path === null) return given ?? defaultText;
  if (given !== null) {
    problems.push(`${name} and ${name}${FILE_SUFFIX} are both set: give only one of them`);
    return null;
  }
  try {
    return readTextFile(path).trim();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    problems.push(`${name}${FILE_SUFFIX} is ${JSON.stringify(path)}: the file cannot be read (${why})`);
    return null;
  }
}

function readValue(name: VariableName, text: string, problems: string[]): unknown {
  const { read, secret, allowed, explain }: Variable<unknown> = VARIABLES[name];
  const value = read(text);
  if (value === undefined) {
    const given = secret ? 'is set to something else' : `is ${JSON.stringify(text)}`;
    const why = explain?.(text).map((problem) => `; ${problem}`) ?? [];
    problems.push(`${name} ${given}: it must be ${allowed}${why.join('')}`);
  }
  return value;
}

/** Pairs of which the first must not be above the second. */
const IN_ORDER = [
  ['TALLYLIGHT_BACKOFF_MIN_MS', 'TALLYLIGHT_BACKOFF_MAX_MS'],
  ['TALLYLIGHT_SILENCE_MS', 'TALLYLIGHT_SILENCE_RECONNECT_MS'],
] as const satisfies readonly (readonly [VariableName, VariableName])[];

/** Pairs of which one is of no use without the other. */
const TOGETHER = [
  ['TLS_CERT_FILE', 'TLS_KEY_FILE'],
  ['TALLYLIGHT_REDIS_CERT_FILE', 'TALLYLIGHT_REDIS_KEY_FILE'],
] as const satisfies readonly (readonly [VariableName, VariableName])[];

/** Settings that only a `rediss://` address makes use of: with another one the operator would believe in a TLS that is not there. */
const ONLY_WITH_REDISS = [
  'TALLYLIGHT_REDIS_CA_FILE',
  'TALLYLIGHT_REDIS_CERT_FILE',
] as const satisfies readonly VariableName[];

/** Without the first none of the others is of use; the first needs the second and the third. */
const CLERK = 'TALLYLIGHT_CLERK_ISSUER';
const CLERK_NEEDS = [
  'TALLYLIGHT_CLERK_SECRET_KEY',
  'TALLYLIGHT_CLERK_AUTHORIZED_PARTIES',
] as const satisfies readonly VariableName[];
const CLERK_OPTIONS = [
  'TALLYLIGHT_CLERK_JWT_KEY',
  'TALLYLIGHT_CLERK_WEBHOOK_SECRET',
  'TALLYLIGHT_CLERK_PUBLISHABLE_KEY',
] as const satisfies readonly VariableName[];

/** What of Clerk is missing, or is there in vain. */
function clerkProblems(values: VariableValues): readonly string[] {
  const isSet = (name: VariableName) => {
    const value = values[name];
    return value !== null && !(Array.isArray(value) && value.length === 0);
  };
  if (isSet(CLERK)) {
    return CLERK_NEEDS.filter((name) => !isSet(name)).map((name) => `${CLERK} is set: it needs ${name}`);
  }
  return [...CLERK_NEEDS, ...CLERK_OPTIONS].filter(isSet).map((name) => `${name} is set: it needs ${CLERK}`);
}

/** What no variable is to blame for alone. */
function contradictions(values: VariableValues): readonly string[] {
  const disordered = IN_ORDER.filter(([lower, upper]) => values[lower] > values[upper]).map(
    ([lower, upper]) =>
      `${lower} is ${values[lower]}: it must not be above ${upper}, which is ${values[upper]}`,
  );
  const alone = TOGETHER.filter(([one, other]) => (values[one] === null) !== (values[other] === null)).map(
    ([one, other]) => `${one} and ${other} belong together: set both, or none of them`,
  );
  const secure = values.REDIS_URL?.reveal().split(',') ?? [];
  const inTheClear = secure.length === 0 || !secure.every((url) => url.trim().startsWith('rediss:'));
  const unused = ONLY_WITH_REDISS.filter((name) => inTheClear && values[name] !== null).map(
    (name) => `${name} is set: it needs a REDIS_URL that starts with rediss://`,
  );
  return [...disordered, ...alone, ...unused, ...clerkProblems(values)];
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const names = variableNames();
  const known = new Set<string>(names);
  for (const name of names) if (VARIABLES[name].secret) known.add(name + FILE_SUFFIX);
  return Object.keys(env)
    .filter((name) => OWN_PREFIXES.some((prefix) => name.startsWith(prefix)) && !known.has(name))
    .map((name) => `${name} is set but means nothing to this version: see docs/configuration.md`);
}
