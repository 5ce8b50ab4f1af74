import { randomBytes } from 'node:crypto';
import { hash } from '@node-rs/argon2';
import { describe, expect, it } from 'vitest';
import { createPasswordHasher } from '../../../src/auth/passwords/password-hasher.ts';
import { createPasswordStrength } from '../../../src/auth/passwords/password-strength.ts';
import { nextTurn } from '../../../src/lib/pause.ts';
import { deriveKey, parseMasterKey } from '../../../src/privacy/master-key.ts';

const newMasterKey = () => parseMasterKey(randomBytes(32).toString('base64'));

describe('password hashes', () => {
  it('[T-S1] are Argon2id with salt and pepper, and fit their password alone', async () => {
    const hasher = createPasswordHasher(newMasterKey());
    const [one, two] = [await hasher.hash('correct horse'), await hasher.hash('correct horse')];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify(one, 'correct horse')).toBe('RIGHT');
    expect(await hasher.verify(one, 'correct horsf')).toBe('WRONG');
    expect(await hasher.verify(null, 'correct horse')).toBe('WRONG');
    // A stolen table is worth nothing without the master key.
    expect(await createPasswordHasher(newMasterKey()).verify(one, 'correct horse')).toBe('WRONG');
  });

  it('hashes all of a long password', async () => {
    const hasher = createPasswordHasher(newMasterKey());
    const long = 'p'.repeat(255);
    const stored = await hasher.hash(`${long}1`);
    expect(await hasher.verify(stored, `${long}2`)).toBe('WRONG');
    expect(await hasher.verify(stored, `${long}1`)).toBe('RIGHT');
  });

  it('notices hashes that were made with less', async () => {
    const masterKey = newMasterKey();
    const secret = deriveKey(masterKey, 'password pepper');
    const old = await hash('correct horse', { algorithm: 2, memoryCost: 8_192, timeCost: 1, secret });
    expect(await createPasswordHasher(masterKey).verify(old, 'correct horse')).toBe('OUTDATED');
  });

  it('[T-D4] refuses rather than queue without end', async () => {
    const hasher = createPasswordHasher(newMasterKey());
    const results = await Promise.allSettled(Array.from({ length: 150 }, () => hasher.hash('correct horse')));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(refused).toHaveLength(48);
    for (const reason of refused) expect(reason).toMatchObject({ dependency: 'passwords', retryable: true });
  });
});

describe('password strength', () => {
  it('[T-D2] is judged off the event loop, even where judging takes a second', async () => {
    const strength = createPasswordStrength();
    await strength.require('plum-tractor-ninety-gravel', { field: 'password', words: [] });
    let judging = true;
    let turns = 0;
    const judged = strength
      .require('aA1!'.repeat(64), { field: 'password', words: [] })
      .catch(() => undefined)
      .finally(() => {
        judging = false;
      });
    while (judging) {
      turns += 1;
      await nextTurn();
    }
    await judged;
    await strength.stop();
    // Judged on the loop, it would not turn meanwhile.
    expect(turns).toBeGreaterThan(20);
  });
});
