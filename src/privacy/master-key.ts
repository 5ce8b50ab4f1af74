import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { link, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../errors/errors.ts';
import { assert } from '../lib/assert.ts';

const MASTER_KEY_BYTES = 32;

/** The key above all others: it wraps data keys and every other secret of ours is derived from it. */
export interface MasterKey {
  /**
   * Tells one master key from another without revealing it: a positive 31-bit number derived from the key, stored with
   * everything it wraps (`subject_key.master_key_version`), so that a wrong key is recognised before anything fails.
   */
  readonly version: number;
  /** A KeyObject prints as such: the key does not leak by logging the object that holds it. */
  readonly secret: KeyObject;
}

/** The master key's text or file is not a master key, or the file is open to others. */
export class MasterKeyError extends UserError {
  override readonly name = 'MasterKeyError';
  readonly code = 'MASTER_KEY_INVALID';
}

/**
 * 32 bytes in base64 (or base64url), white space around them ignored.
 * @throws MasterKeyError, which says what is wrong without repeating the text.
 */
export function parseMasterKey(text: string): MasterKey {
  const encoded = text.trim().replaceAll('-', '+').replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) {
    throw new MasterKeyError('The master key is not base64: it must be 32 random bytes in base64.');
  }
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length !== MASTER_KEY_BYTES) {
    throw new MasterKeyError(
      `The master key has ${bytes.length} bytes: it must be 32 random bytes in base64.`,
    );
  }
  const secret = createSecretKey(bytes);
  const version = Math.max(1, expand(secret, 'master key version').readUInt32BE(0) >>> 1);
  return { version, secret };
}

/**
 * The key in the file at `filePath`; when there is no such file, a new one, made for our user alone (0600).
 * Two processes may start at once: both end up with the key of the faster.
 * @throws MasterKeyError when the file holds something else.
 */
export async function loadOrCreateMasterKey(filePath: string): Promise<MasterKey> {
  await mkdir(path.dirname(filePath), { recursive: true, mode: 0o700 });
  const existing = await readMasterKey(filePath);
  if (existing !== undefined) return existing;
  await createMasterKeyFile(filePath);
  const created = await readMasterKey(filePath);
  assert(created !== undefined, 'the master key file was made just now, by us or by another process');
  return created;
}

/** A key of 32 bytes for one purpose (HKDF-SHA-256): knowing it tells nothing about the master key or other purposes. */
export function deriveKey(master: MasterKey, purpose: string): Buffer {
  return expand(master.secret, purpose);
}

function expand(secret: KeyObject, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `tallylight ${purpose}`, 32));
}

async function readMasterKey(filePath: string): Promise<MasterKey | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(filePath, 'r');
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw new MasterKeyError(`The master key file ${filePath} cannot be read.`, { cause: error });
  }
  try {
    const { mode } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new MasterKeyError(
        `The master key file ${filePath} is open to other users: run \`chmod 600 ${filePath}\`.`,
      );
    }
    return parseMasterKey(await file.readFile('utf8'));
  } catch (error) {
    if (!(error instanceof MasterKeyError)) throw error;
    throw new MasterKeyError(
      error.message.replace(/^The master key (?=is not|has)/, `The master key in ${filePath} `),
    );
  } finally {
    await file.close();
  }
}

/**
 * Writes a key beside the target and links it there: the file appears whole and on disk, or not at all, and never in
 * place of another. What is encrypted under a key that a power cut took away is lost.
 */
async function createMasterKeyFile(filePath: string): Promise<void> {
  const draftPath = `${filePath}.${randomBytes(8).toString('hex')}`;
  const draft = await open(draftPath, 'wx', 0o600);
  try {
    await draft.writeFile(`${randomBytes(MASTER_KEY_BYTES).toString('base64')}\n`);
    await draft.sync();
    await draft.close();
    await link(draftPath, filePath);
  } catch (error) {
    if (!isErrorWithCode(error, 'EEXIST')) throw error; // EEXIST: another process was faster, its key it is
  } finally {
    await draft.close();
    await rm(draftPath, { force: true });
  }
  if (process.platform === 'win32') return; // a folder cannot be opened there
  const folder = await open(path.dirname(filePath), 'r');
  await folder.sync();
  await folder.close();
}

function isErrorWithCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
