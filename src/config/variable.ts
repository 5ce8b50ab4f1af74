import { isIP } from 'node:net';
import { z } from 'zod';
import { LOG_LEVELS } from '../lib/logger.ts';
import { type OidcProviderConfig, readOidcProviders } from './oidc-providers.ts';
import { Secret } from './secret.ts';
import { isSecureUrl } from './secure-url.ts';

/** One setting: how its text is read, and everything the documentation says about it. */
export interface Variable<Value> {
  readonly section: string;
  /** One or two sentences for the operator. */
  readonly description: string;
  /** What is allowed, worded to follow "must be". */
  readonly allowed: string;
  /** The text used when the variable is unset; null: there is then no value. */
  readonly defaultText: string | null;
  /** Never printed, and may also be given as a file by the variable's name with `_FILE`. */
  readonly secret: boolean;
  /** The value, or undefined when the text is not allowed. */
  readonly read: (text: string) => Value | undefined;
  /** What is wrong with a text that is not allowed, where one sentence does not say it. Shows nothing of it. */
  readonly explain?: (text: string) => readonly string[];
}

/** What a table entry says itself; the rest comes with its kind. */
interface Entry<Default extends string | null> {
  readonly section: string;
  readonly description: string;
  readonly defaultText: Default;
}

/** A variable without a default has no value when it is unset. */
type Settled<Value, Default extends string | null> = Variable<Default extends null ? Value | null : Value>;

function variable<Value, Default extends string | null>(
  entry: Entry<Default>,
  kind: { readonly allowed: string; readonly secret?: boolean; readonly schema: z.ZodType<Value, string> },
): Settled<Value, Default> {
  const read = (text: string): Value | undefined => {
    const result = kind.schema.safeParse(text);
    return result.success ? result.data : undefined;
  };
  return {
    ...entry,
    allowed: kind.allowed,
    secret: kind.secret ?? false,
    // Widening only: with a null default the value may also be null, which `read` never returns.
    read: read as Settled<Value, Default>['read'],
  };
}

/** A whole number from `min` to `max`, written in digits. */
export function wholeNumber<D extends string | null>(
  entry: Entry<D> & { readonly min: number; readonly max: number },
): Settled<number, D> {
  const { min, max } = entry;
  const schema = z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
  return variable(describe(entry), { allowed: `a whole number from ${min} to ${max}`, schema });
}

/** `true` or `false`. */
export function flag(entry: Entry<string>): Variable<boolean> {
  const schema = z.enum(['true', 'false']).transform((text) => text === 'true');
  return variable(describe(entry), { allowed: 'true or false', schema });
}

/** One of a list of words. */
export function choice<const Words extends readonly [string, ...string[]], D extends string | null>(
  entry: Entry<D> & { readonly words: Words },
): Settled<Words[number], D> {
  // A zod enum over these words yields exactly one of them.
  const schema = z.enum(entry.words) as unknown as z.ZodType<Words[number], string>;
  return variable(describe(entry), { allowed: `one of ${entry.words.join(', ')}`, schema });
}

/** A level of the logger. */
export function logLevel<D extends string | null>(entry: Entry<D>): Settled<(typeof LOG_LEVELS)[number], D> {
  return choice({ ...entry, words: LOG_LEVELS });
}

/** Text that matches a pattern. */
export function text<D extends string | null>(
  entry: Entry<D> & { readonly allowed: string; readonly pattern: RegExp },
): Settled<string, D> {
  return variable(describe(entry), { allowed: entry.allowed, schema: z.string().regex(entry.pattern) });
}

/** A URL with one of the given protocols (`https:`), returned as it was written. */
export function url<D extends string | null>(
  entry: Entry<D> & { readonly protocols: readonly string[] },
): Settled<string, D> {
  const schema = z.string().refine((candidate) => isUrl(candidate, entry.protocols));
  return variable(describe(entry), { allowed: allowedUrls(entry.protocols), schema });
}

/** A URL by https, or by http of this machine. */
export function secureUrl<D extends string | null>(entry: Entry<D>): Settled<string, D> {
  const schema = z.string().max(500).refine(isSecureUrl);
  return variable(describe(entry), {
    allowed: 'a URL that starts with https://, or http:// on this machine',
    schema,
  });
}

/** Providers of OpenID Connect, with their secrets, as JSON. */
export function oidcProviders(entry: Entry<string>): Variable<readonly OidcProviderConfig[]> {
  return {
    ...describe(entry),
    allowed: 'a JSON list of providers, as docs/external-identity.md describes them',
    secret: true,
    read: (text) => {
      const result = readOidcProviders(text);
      return 'value' in result ? result.value : undefined;
    },
    explain: (text) => {
      const result = readOidcProviders(text);
      return 'problems' in result ? result.problems : [];
    },
  };
}

/** Web origins (`https://example.com`), separated by commas. */
export function origins(entry: Entry<string>): Variable<readonly string[]> {
  const schema = z
    .string()
    .transform((list) =>
      list
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((list) => list.every(isOrigin));
  return variable(describe(entry), {
    allowed: 'origins such as https://example.com, separated by commas, without a path',
    schema,
  });
}

/** Addresses (`10.0.0.1`) and networks (`10.0.0.0/8`), separated by commas. */
export function networks(entry: Entry<string>): Variable<readonly string[]> {
  const isNetwork = (text: string) => {
    const [address = '', bits, ...more] = text.split('/');
    const width = { 4: 32, 6: 128 }[isIP(address)] ?? -1;
    if (width < 0 || more.length > 0) return false;
    return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width);
  };
  const schema = z
    .string()
    .transform((list) => list.split(',').flatMap((item) => item.trim() || []))
    .refine((list) => list.every(isNetwork));
  return variable(describe(entry), {
    allowed: 'addresses or networks such as 10.0.0.0/8, separated by commas',
    schema,
  });
}

/** A secret that matches a pattern. */
export function secretText<D extends string | null>(
  entry: Entry<D> & { readonly allowed: string; readonly pattern: RegExp },
): Settled<Secret, D> {
  const schema = z
    .string()
    .regex(entry.pattern)
    .transform((value) => new Secret(value));
  return variable(describe(entry), { allowed: entry.allowed, secret: true, schema });
}

/** A URL that may hold a password, and so is a secret. */
export function secretUrl<D extends string | null>(
  entry: Entry<D> & {
    readonly protocols: readonly string[];
    /** Several, separated by commas, will do too. */
    readonly several?: boolean;
  },
): Settled<Secret, D> {
  const parts = (text: string): readonly string[] => (entry.several ? text.split(',') : [text]);
  const schema = z
    .string()
    .refine((candidate) => parts(candidate).every((part) => isUrl(part.trim(), entry.protocols)))
    .transform((value) => new Secret(value));
  return variable(describe(entry), { allowed: allowedUrls(entry.protocols), secret: true, schema });
}

/** Only what every kind shares, so that a kind's own fields do not leak into the table. */
function describe<D extends string | null>(entry: Entry<D>): Entry<D> {
  return { section: entry.section, description: entry.description, defaultText: entry.defaultText };
}

function allowedUrls(protocols: readonly string[]): string {
  return `a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
}

function isUrl(candidate: string, protocols: readonly string[]): boolean {
  const parsed = URL.parse(candidate);
  return parsed !== null && protocols.includes(parsed.protocol);
}

function isOrigin(candidate: string): boolean {
  const parsed = URL.parse(candidate);
  return parsed !== null && ['http:', 'https:'].includes(parsed.protocol) && parsed.origin === candidate;
}
