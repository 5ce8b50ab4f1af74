import { describe, expect, it } from 'vitest';
import { badDeprecations, breakingChanges, unacceptedChanges } from '../../scripts/schema-changes.ts';

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

describe('the check of deprecations', () => {
  it('wants a replacement and a day of removal', () => {
    const schema = (reason: string) => `type Query { a: Int @deprecated(reason: "${reason}"), b: Int }`;
    expect(badDeprecations(schema('Use b. Removal on 2027-03-01.'))).toEqual([]);
    for (const reason of ['Old.', 'Use b.', 'Removal on 2027-03-01.', 'Use b. Removal on 2027-13-41.']) {
      expect(badDeprecations(schema(reason))).toEqual([
        `Query.a: the reason must read "Use X. Removal on YYYY-MM-DD.", and reads "${reason}"`,
      ]);
    }
  });
});

describe('the list of accepted changes', () => {
  it('lets through what it names word by word', () => {
    const changes = ['Query.a was removed.', 'Query.b was removed.'];
    expect(unacceptedChanges(changes, '# meant\nQuery.a was removed.\n')).toEqual(['Query.b was removed.']);
  });
});
