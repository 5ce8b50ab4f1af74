import { createSecretKey, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { ENVELOPE_OVERHEAD_BYTES, open, SealBrokenError, seal } from '../../src/privacy/envelope.ts';
import { NonceSource } from '../../src/privacy/nonces.ts';

const alice = newId('member', 1);
const bob = newId('member', 1);
const bytes = randomBytes(32);
const secret = createSecretKey(bytes);
const nonces = new NonceSource();
const key = { subjectId: alice, secret, nonces };
const context = sealContext.event('ab'.repeat(32));

describe('seal and open', () => {
  it('gives back what was sealed, text and bytes, also nothing', () => {
    for (const text of ['', 'hello', 'Grüße 🎉', 'x'.repeat(100_000)]) {
      expect(open(key, context, seal(key, context, text)).toString('utf8')).toBe(text);
    }
    const binary = randomBytes(1000);
    expect(open(key, context, seal(key, context, binary))).toEqual(binary);
  });

  it('never seals twice to the same bytes, and adds a fixed length', () => {
    const one = seal(key, context, 'hello');
    const other = seal(key, context, 'hello');
    expect(one.equals(other)).toBe(false);
    expect(one.length).toBe(5 + ENVELOPE_OVERHEAD_BYTES);
  });

  it('[T-I2] refuses what was moved to another row, column or subject', () => {
    const sealed = seal(key, context, 'hello');
    const otherRow = sealContext.event('cd'.repeat(32));
    const otherColumn = sealContext.profile(alice);
    expect(() => open(key, otherRow, sealed)).toThrow(SealBrokenError);
    expect(() => open(key, otherColumn, sealed)).toThrow(SealBrokenError);
    expect(() => open({ subjectId: bob, secret, nonces }, context, sealed)).toThrow(SealBrokenError);
    expect(() =>
      open({ subjectId: alice, secret: createSecretKey(randomBytes(32)), nonces }, context, sealed),
    ).toThrow(SealBrokenError);
  });

  it('[T-I2] refuses every single flipped bit', () => {
    const sealed = seal(key, context, 'hello');
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => open(key, context, changed), `bit ${bit}`).toThrow(SealBrokenError);
    }
  });

  it('[T-I2] refuses what was cut off anywhere', () => {
    const sealed = seal(key, context, 'hello');
    for (let length = 0; length < sealed.length; length++) {
      expect(() => open(key, context, sealed.subarray(0, length)), `length ${length}`).toThrow(
        SealBrokenError,
      );
    }
  });
});

it('[T-I3] a data key does not show its bytes when it is printed or serialised', () => {
  const shown = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify({ key });
  expect(shown).not.toContain(bytes.toString('hex'));
  expect(shown).not.toContain(bytes.toString('base64'));
  expect(shown).not.toContain(
    [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
  );
});

describe('nonces', () => {
  it('[T-I2] are never the same twice, over several draws from the system', () => {
    const source = new NonceSource();
    const seen = new Set(Array.from({ length: 5_000 }, () => source.next().toString('hex')));
    expect(seen.size).toBe(5_000);
  });
});
