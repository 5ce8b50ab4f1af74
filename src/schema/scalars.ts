import { GraphQLError, Kind, type ValueNode } from 'graphql';
import { builder } from './builder.ts';

/** RFC 3339 with seconds and a zone. The range is what PostgreSQL and every client can hold. */
const DATE_TIME_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

builder.scalarType('DateTime', {
  description: 'A point in time, RFC 3339 in UTC with milliseconds, like `2026-11-22T20:15:00.000Z`.',
  serialize: (value) => new Date(value).toISOString(),
  parseValue: dateTimeOf,
  parseLiteral: (node) => dateTimeOf(textOf(node)),
});

builder.scalarType('Coins', {
  description: 'An amount of whole coins, as text of digits, so that no client rounds it.',
  serialize: (value) => String(value),
  parseValue: coinsOf,
  parseLiteral: (node) => coinsOf(textOf(node)),
});

builder.scalarType('Count', {
  description: 'A whole number from 0 to 9,007,199,254,740,991, as a JSON number: more than `Int` can hold.',
  serialize: (value) => value,
  parseValue: countOf,
  parseLiteral: (node) => countOf(node.kind === Kind.INT ? Number(node.value) : null),
});

function textOf(node: ValueNode): string | null {
  return node.kind === Kind.STRING || node.kind === Kind.INT ? node.value : null;
}

function dateTimeOf(value: unknown): number {
  const time = typeof value === 'string' && DATE_TIME_PATTERN.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw badValue('A DateTime is RFC 3339 text, like 2026-11-22T20:15:00Z.');
  return time;
}

function coinsOf(value: unknown): number {
  const coins = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (!isCount(coins)) throw badValue('Coins are text of up to 16 digits.');
  return coins;
}

function countOf(value: unknown): number {
  if (!isCount(value)) throw badValue('A Count is a whole number that is not negative.');
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function badValue(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
