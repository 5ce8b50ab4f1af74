import { describe, expect, it } from 'vitest';
import { breakingChanges } from '../../scripts/schema-changes.ts';

describe('the check for breaking changes of the schema', () => {
  it('names a field that is gone and an argument that became required', () => {
    const before = 'type Query { a: Int, b(x: Int): Int }';
    expect(breakingChanges(before, 'type Query { b(x: Int!): Int }')).toEqual([
      'Query.a was removed.',
      'Query.b arg x has changed type from Int to Int!.',
    ]);
  });

  it('lets additions pass', () => {
    expect(breakingChanges('type Query { a: Int }', 'type Query { a: Int, b: String }')).toEqual([]);
  });
});
