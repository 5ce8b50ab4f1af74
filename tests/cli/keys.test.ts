import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSigningKeys } from '../../src/auth/tokens/signing-keys.ts';
import type { Terminal } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createTestDatabase } from '../support/database.ts';

async function typed(args: readonly string[], env: Record<string, string>) {
  const out: string[] = [];
  const notes: string[] = [];
  const terminal: Terminal = {
    args,
    env: { TALLYLIGHT_LOG_LEVEL: 'silent', ...env },
    print: (line) => out.push(line),
    note: (line) => notes.push(line),
    stopRequested: new AbortController().signal,
    onReload: () => () => undefined,
  };
  return { code: await runCommandLine(terminal), out, notes: notes.join('\n') };
}

describe('tallylight keys', () => {
  it('rotates: what was next signs, and the old key stays published [T-S2]', async () => {
    await using database = await createTestDatabase();
    const text = randomBytes(32).toString('base64');
    const deps = { db: database.db, masterKey: parseMasterKey(text), clock };
    const before = await createSigningKeys(deps);
    const first = (await before.active()).kid;
    const next = (await before.published()).keys.find(({ kid }) => kid !== first)?.kid;
    const env = { DATABASE_URL: database.url, TALLYLIGHT_MASTER_KEY: text };
    const { code, out, notes } = await typed(['keys', 'rotate'], env);
    expect({ code, notes }).toEqual({ code: 0, notes: '' });
    expect(out[0]).toBe(`signs now        ${next}`);
    const after = await createSigningKeys(deps);
    expect((await after.active()).kid).toBe(next);
    const published = (await after.published()).keys.map(({ kid }) => kid);
    expect(published).toHaveLength(3);
    expect(published).toContain(first);
    expect(out[1]).toBe(`signs after that ${published.find((kid) => kid !== first && kid !== next)}`);
  });

  it.each([[['keys']], [['keys', 'delete']], [['keys', 'rotate', 'now']]])(
    'says what it can do when it is asked for something else: %j',
    async (args) => {
      expect((await typed(args, {})).code).toBe(2);
    },
  );
});
