import { describe, expect, it } from 'vitest';
import { DependencyError } from '../../src/errors/errors.ts';
import { createLogger } from '../../src/lib/logger.ts';

/** What is logged of an error, as text. */
function logged(error: unknown): string {
  const lines: string[] = [];
  createLogger('error', { write: (line) => lines.push(line) }).error({ err: error }, 'something.failed');
  return lines.join('');
}

describe('a logged error', () => {
  it('[T-I1] shows what went wrong and nothing that a library hung on it', () => {
    const reply = Object.assign(new Error('OOM command not allowed'), {
      code: 'OOM',
      command: { name: 'evalsha', args: ['{"displayName":"Canary"}'] },
    });
    const row = Object.assign(new Error('duplicate key'), {
      code: '23505',
      constraint: 'event_pkey',
      detail: 'Key (handle)=(canary) already exists.',
      where: 'Canary',
    });
    const several = new AggregateError([reply, row], 'both');
    const wrapped = new DependencyError('Redis did not answer', {
      dependency: 'redis',
      retryable: true,
      cause: reply,
    });
    for (const error of [reply, row, several, wrapped]) expect(logged(error)).not.toMatch(/canary/i);
    expect(JSON.parse(logged(row)).err).toMatchObject({ code: '23505', constraint: 'event_pkey' });
    expect(JSON.parse(logged(wrapped)).err).toMatchObject({
      type: 'DependencyError',
      message: 'Redis did not answer: OOM command not allowed',
      dependency: 'redis',
      retryable: true,
    });
  });

  it('[T-I3] that is none says no more than what it is', () => {
    expect(JSON.parse(logged({ headers: { authorization: 'canary' } })).err).toEqual({ type: 'object' });
    expect(logged('canary')).not.toContain('canary');
  });
});
