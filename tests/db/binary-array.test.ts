import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import {
  boolArray,
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonbArray,
  textArray,
  timestamptzArray,
  uuidArray,
} from '../../src/db/binary-array.ts';
import { createTestDatabase } from '../support/database.ts';

const database = await createTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());

/** What PostgreSQL reads from the parameter, element by element as text. */
async function readBack(parameter: Buffer, type: string): Promise<(string | null)[]> {
  const result = await sql<{ element: string | null }>`
    select element::text from unnest(${parameter}::${sql.raw(type)}) as element`.execute(database.db);
  return result.rows.map((row) => row.element);
}

describe('binary arrays arrive as they were meant', () => {
  it('int8, to the ends of what JavaScript counts exactly', async () => {
    const values = [
      0,
      1,
      -1,
      2 ** 31,
      2 ** 32,
      -(2 ** 32),
      -(2 ** 32) - 1,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
      null,
    ];
    expect(await readBack(int8Array(values), 'int8[]')).toEqual(
      values.map((value) => value?.toString() ?? null),
    );
  });

  it('int4 and int2, to their ends', async () => {
    expect(await readBack(int4Array([-(2 ** 31), 2 ** 31 - 1]), 'int4[]')).toEqual([
      '-2147483648',
      '2147483647',
    ]);
    expect(await readBack(int2Array([-32_768, 32_767]), 'int2[]')).toEqual(['-32768', '32767']);
  });

  it('times to the millisecond, before and after PostgreSQL’s own epoch', async () => {
    const times = [
      0,
      1,
      -1,
      Date.UTC(1999, 11, 31, 23, 59, 59, 999),
      Date.UTC(2026, 10, 20, 12, 0, 0, 7),
      4e12 + 1,
    ];
    const result = await sql<{
      at: Date;
    }>`select unnest(${timestamptzArray(times)}::timestamptz[]) as at`.execute(database.db);
    expect(result.rows.map((row) => row.at.getTime())).toEqual(times);
  });

  it('texts, JSON, bytes, UUIDs and truths, with nulls and everything that a text form would have to escape', async () => {
    const texts = ['', 'null', 'NULL', '{,}', '"\\"', "'", 'Grüße 🎉', '\n\t', null];
    expect(await readBack(textArray(texts), 'text[]')).toEqual(texts);
    const values = [{ a: '"\\{}' }, [1, null], 'x', 7];
    expect(await readBack(jsonbArray(values.map((value) => JSON.stringify(value))), 'jsonb[]')).toEqual([
      '{"a": "\\"\\\\{}"}',
      '[1, null]',
      '"x"',
      '7',
    ]);
    expect(await readBack(byteaArray([Buffer.from([0, 255, 92]), Buffer.alloc(0), null]), 'bytea[]')).toEqual(
      ['\\x00ff5c', '\\x', null],
    );
    const uuid = '0193f0aa00007000800000000000abcd';
    expect(await readBack(uuidArray([uuid, null]), 'uuid[]')).toEqual([
      '0193f0aa-0000-7000-8000-00000000abcd',
      null,
    ]);
    expect(await readBack(boolArray([true, false]), 'bool[]')).toEqual(['true', 'false']);
  });

  it('nothing at all', async () => {
    for (const [parameter, type] of [
      [int8Array([]), 'int8[]'],
      [textArray([]), 'text[]'],
      [uuidArray([]), 'uuid[]'],
    ] as const) {
      expect(await readBack(parameter, type)).toEqual([]);
    }
  });
});
