import { describe, expect, it } from 'vitest';
import { readAudit } from '../../scripts/advisories.ts';

describe('the advisory check', () => {
  it.each(['', 'not json', '{"message":"405 Method Not Allowed"}'])(
    'says so when the registry gives %j',
    (output) => {
      expect(readAudit(output).kind).toBe('NOT_AVAILABLE');
    },
  );

  it('fails on a high and on a critical advisory, not on a moderate one [T-T8]', () => {
    const report = (counts: object) => JSON.stringify({ metadata: { vulnerabilities: counts } });
    expect(readAudit(report({ moderate: 3, high: 0, critical: 0 }))).toMatchObject({ failing: 0 });
    expect(readAudit(report({ moderate: 0, high: 1, critical: 2 }))).toMatchObject({ failing: 3 });
  });
});
