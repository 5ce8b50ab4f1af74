import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSecrets, findSecretsInTree } from '../../scripts/secrets.ts';

// Put together here, so that this file itself holds nothing that looks like a secret.
const FAKES: ReadonlyArray<readonly [string, string]> = [
  ['a private key', `-----BEGIN ${'PRIVATE'} KEY-----`],
  ['an AWS access key', `AKIA${'ABCDEFGH'.repeat(2)}`],
  ['a GitHub token', `ghp_${'a1'.repeat(18)}`],
  ['a Stripe key', `sk_live_${'a1'.repeat(12)}`],
  ['an access key of Tallylight', `tlk_${'a1'.repeat(20)}`],
  ['a password in a URL', `postgres://user:${'tr0ub4dor-and-3'}@db.example/x`],
  ['a secret in an assignment', `masterKey = "${'a1'.repeat(20)}"`],
];

describe('the secrets scan', () => {
  it.each(FAKES)('sees %s [T-I3]', (what, fake) => {
    expect(findSecrets('file.ts', `first line\n${fake}\n`)).toEqual([{ path: 'file.ts', line: 2, what }]);
  });

  it('lets a line pass that says why it is none', () => {
    expect(findSecrets('file.ts', `AKIA${'ABCDEFGH'.repeat(2)} // not-a-secret: an example`)).toEqual([]);
  });

  it('fails on a planted file in a git tree and reads what is not yet committed [T-I3]', async () => {
    const root = await mkdtemp(join(tmpdir(), 'tallylight-secrets-'));
    try {
      execFileSync('git', ['init', '--quiet'], { cwd: root });
      await writeFile(join(root, 'notes.txt'), `key: AKIA${'ABCDEFGH'.repeat(2)}\n`);
      await writeFile(join(root, 'clean.txt'), 'nothing here\n');
      expect(findSecretsInTree(root)).toEqual([{ path: 'notes.txt', line: 1, what: 'an AWS access key' }]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it('finds nothing in our own tree [T-I3]', () => {
    expect(findSecretsInTree('.')).toEqual([]);
  });
});
