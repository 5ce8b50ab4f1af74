import { describe, expect, it } from 'vitest';
import { Parts, STOP_ALL_MS } from '../../src/cli/parts.ts';
import { createLogger } from '../../src/lib/logger.ts';

const logger = createLogger('silent');

describe('Parts', () => {
  it('stops what was started, in reverse order, and once', async () => {
    const parts = new Parts(logger);
    const stopped: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      await parts.start(
        { name },
        () => name,
        async (started) => void stopped.push(started),
      );
    }
    expect(await parts.stopAll()).toEqual([]);
    expect(await parts.stopAll()).toEqual([]);
    expect(stopped).toEqual(['third', 'second', 'first']);
  });

  it('does not stop what did not start, and stops what did', async () => {
    const parts = new Parts(logger);
    const stopped: string[] = [];
    await parts.start(
      { name: 'good' },
      () => 1,
      async () => void stopped.push('good'),
    );
    const failing = parts.start(
      { name: 'bad' },
      () => Promise.reject(new Error('no')),
      async () => void stopped.push('bad'),
    );
    await expect(failing).rejects.toThrow('no');
    await parts.stopAll();
    expect(stopped).toEqual(['good']);
  });

  it('goes on when a part fails to stop, and names it', async () => {
    const parts = new Parts(logger);
    const stopped: string[] = [];
    await parts.start(
      { name: 'good' },
      () => 1,
      async () => void stopped.push('good'),
    );
    await parts.start(
      { name: 'bad' },
      () => 1,
      () => Promise.reject(new Error('no')),
    );
    expect(await parts.stopAll()).toEqual(['bad']);
    expect(stopped).toEqual(['good']);
  });

  it('leaves a part behind that never stops, in time for those after it', async () => {
    const parts = new Parts(logger);
    const stopped: string[] = [];
    await parts.start(
      { name: 'good', reservedMs: STOP_ALL_MS - 100 },
      () => 1,
      async () => void stopped.push('good'),
    );
    await parts.start(
      { name: 'stuck', reservedMs: 50 },
      () => 1,
      () => new Promise(() => undefined),
    );
    const startedAt = performance.now();
    expect(await parts.stopAll()).toEqual(['stuck']);
    expect(performance.now() - startedAt).toBeLessThan(STOP_ALL_MS);
    expect(stopped).toEqual(['good']);
  });
});
