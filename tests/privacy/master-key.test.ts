import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  deriveKey,
  loadOrCreateMasterKey,
  MasterKeyError,
  parseMasterKey,
} from '../../src/privacy/master-key.ts';

const text = Buffer.alloc(32, 7).toString('base64');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tallylight-key-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('parseMasterKey', () => {
  it('takes 32 bytes in base64 or base64url, white space around them', () => {
    const bytes = Buffer.alloc(32, 0xfb);
    const key = parseMasterKey(`  ${bytes.toString('base64')}\n`);
    expect(parseMasterKey(bytes.toString('base64url')).version).toBe(key.version);
    expect(deriveKey(parseMasterKey(bytes.toString('base64url')), 'x')).toEqual(deriveKey(key, 'x'));
  });

  it.each([
    ['', 'The master key is not base64: it must be 32 random bytes in base64.'],
    ['not base64!', 'The master key is not base64: it must be 32 random bytes in base64.'],
    [
      Buffer.alloc(31).toString('base64'),
      'The master key has 31 bytes: it must be 32 random bytes in base64.',
    ],
    [
      Buffer.alloc(64).toString('base64'),
      'The master key has 64 bytes: it must be 32 random bytes in base64.',
    ],
  ])('refuses %j in one sentence that does not repeat it', (given, message) => {
    expect(() => parseMasterKey(given)).toThrow(new MasterKeyError(message));
  });
});

describe('deriveKey', () => {
  it('gives each purpose and each master key its own 32 bytes, always the same', () => {
    const one = parseMasterKey(text);
    const other = parseMasterKey(Buffer.alloc(32, 8).toString('base64'));
    const keys = [deriveKey(one, 'a'), deriveKey(one, 'b'), deriveKey(other, 'a'), deriveKey(other, 'b')];
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(4);
    expect(keys.map((key) => key.length)).toEqual([32, 32, 32, 32]);
    expect(deriveKey(parseMasterKey(text), 'a')).toEqual(keys[0]);
    expect(one.version).not.toBe(other.version);
  });
});

it('[T-I3] a master key does not show its bytes when it is printed or serialised', () => {
  const key = parseMasterKey(text);
  const shown = inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
  expect(shown).not.toContain(text);
  expect(shown).not.toContain('07 07 07');
  expect(shown).not.toContain('0707');
});

describe('loadOrCreateMasterKey', () => {
  it('makes a file for its owner alone, and reads the same key ever after', async () => {
    const file = path.join(folder, 'new', 'master.key');
    const created = await loadOrCreateMasterKey(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(deriveKey(await loadOrCreateMasterKey(file), 'x')).toEqual(deriveKey(created, 'x'));
    expect(await readdir(path.dirname(file))).toEqual(['master.key']);
  });

  it('gives twenty starts at once one and the same key', async () => {
    const file = path.join(folder, 'race', 'master.key');
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateMasterKey(file)));
    const onDisk = parseMasterKey(await readFile(file, 'utf8'));
    expect(new Set(keys.map((key) => deriveKey(key, 'x').toString('hex')))).toEqual(
      new Set([deriveKey(onDisk, 'x').toString('hex')]),
    );
    expect(await readdir(path.dirname(file))).toEqual(['master.key']);
  });

  it('refuses a file with something else in it, naming the file and not its content', async () => {
    const file = path.join(folder, 'wrong.key');
    await writeFile(file, 'c2hvcnQ=', { mode: 0o600 });
    await expect(loadOrCreateMasterKey(file)).rejects.toThrow(
      new MasterKeyError(`The master key in ${file} has 5 bytes: it must be 32 random bytes in base64.`),
    );
    expect(await readFile(file, 'utf8')).toBe('c2hvcnQ=');
  });

  it('[T-I3] refuses a file that other users can read', async () => {
    const file = path.join(folder, 'open.key');
    await writeFile(file, text);
    await chmod(file, 0o644);
    await expect(loadOrCreateMasterKey(file)).rejects.toThrow(
      new MasterKeyError(`The master key file ${file} is open to other users: run \`chmod 600 ${file}\`.`),
    );
  });
});
