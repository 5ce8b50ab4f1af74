import { createHmac, createSecretKey } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectMasterKeyVersion } from '../db/subject-key.ts';
import type { Provider } from '../events/unified-event.ts';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId } from '../lib/ids.ts';
import type { SubjectId } from './context.ts';
import type { DataKey } from './envelope.ts';
import { KeyRing, WrongMasterKeyError } from './key-ring.ts';
import { deriveKey, type MasterKey } from './master-key.ts';

/** Unwrapped keys kept at most, by default: about 1 kB each with everything around it. */
const KEYS_MAX = 20_000;
const HASH_BYTES = 16;
/** Hexadecimal digits of an alias: with 8, all of 10,000 viewers differ in 99 % of channels. */
const ALIAS_DIGITS = 8;

/** Data keys by subject, and the keyed hashes by which encrypted values are found. */
export interface Vault {
  /** Finds a member: 16 bytes, different per channel. */
  userHash(user: {
    readonly channelId: ChannelId;
    readonly provider: Provider;
    readonly userId: string;
  }): Buffer;
  /** Finds members by handle: 16 bytes, the same for `@Name` and `name`. */
  handleHash(handle: { readonly channelId: ChannelId; readonly handle: string }): Buffer;
  /** Tells whether a profile changed, without reading it: 16 bytes. */
  profileHash(profile: { readonly channelId: ChannelId; readonly profile: string }): Buffer;
  /** What people without access to names see: `viewer-` and 8 hexadecimal digits, stable per channel. */
  alias(user: { readonly channelId: ChannelId; readonly userId: string }): string;
  /** Stands for a value that names a person, in data we keep in clear: `p-` and 16 hexadecimal digits. */
  pseudonym(value: { readonly channelId: ChannelId; readonly value: string }): string;
  /**
   * The subjects' keys in one round trip (with `create` sometimes two; none when all are cached). A subject whose key
   * was destroyed, or never made, is not in the map unless `create` is set. With `tx`, what is created becomes real
   * with that transaction, and nothing is cached. `fresh` reads what is cached too: in a time that tells nothing.
   * @throws WrongMasterKeyError
   */
  dataKeys(
    subjectIds: readonly SubjectId[],
    options: { readonly create: boolean; readonly fresh?: boolean },
    tx?: Transaction<Database>,
  ): Promise<ReadonlyMap<SubjectId, DataKey>>;
}

export interface VaultDeps {
  readonly db: Kysely<Database>;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
}

/** A vault over the database's `subject_key` table. Keeps at most `keysMax` unwrapped keys, each for at most a minute: so long may a destroyed key still be used. */
export function createVault(deps: VaultDeps, options: { readonly keysMax?: number } = {}): Vault {
  const hash = keyedHashes(deps.masterKey);
  const ring = new KeyRing(deps, options.keysMax ?? KEYS_MAX);
  return {
    userHash: ({ channelId, provider, userId }) =>
      hash.user(`${channelId}\n${provider}\n${userId}`).subarray(0, HASH_BYTES),
    handleHash: ({ channelId, handle }) =>
      hash.handle(`${channelId}\n${normaliseHandle(handle)}`).subarray(0, HASH_BYTES),
    profileHash: ({ channelId, profile }) => hash.profile(`${channelId}\n${profile}`).subarray(0, HASH_BYTES),
    alias: ({ channelId, userId }) =>
      `viewer-${hash.alias(`${channelId}\n${userId}`).toString('hex').slice(0, ALIAS_DIGITS)}`,
    pseudonym: ({ channelId, value }) =>
      `p-${hash.pseudonym(`${channelId}\n${value}`).toString('hex').slice(0, 16)}`,
    dataKeys: (subjectIds, options, tx) => ring.get(subjectIds, options, tx),
  };
}

/**
 * The subject's key, made when there is none; with `tx` it becomes real with that transaction.
 * @throws WrongMasterKeyError
 */
export async function madeKey(
  vault: Pick<Vault, 'dataKeys'>,
  subjectId: SubjectId,
  tx?: Transaction<Database>,
): Promise<DataKey> {
  const key = (await vault.dataKeys([subjectId], { create: true }, tx)).get(subjectId);
  assert(key !== undefined, 'a key that is asked to be made is there');
  return key;
}

/**
 * Looks whether the database's keys were wrapped by this master key, for a clear word at the start.
 * @throws WrongMasterKeyError
 */
export async function checkMasterKey(deps: Pick<VaultDeps, 'db' | 'masterKey'>): Promise<void> {
  const version = await selectMasterKeyVersion(deps.db);
  if (version !== undefined && version !== deps.masterKey.version) throw new WrongMasterKeyError();
}

/** One HMAC-SHA-256 per purpose, each under its own derived key: equal values of two purposes share nothing. */
function keyedHashes(masterKey: MasterKey) {
  const hasher = (purpose: string) => {
    // As a KeyObject: a sixth of the time that a Buffer costs per hash. @see DataKey
    const key = createSecretKey(deriveKey(masterKey, purpose));
    return (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  };
  return {
    user: hasher('user hash'),
    handle: hasher('handle hash'),
    profile: hasher('profile hash'),
    alias: hasher('alias'),
    pseudonym: hasher('pseudonym'),
  };
}

/** Handles are looked up as people write them: with or without `@`, in any case and composition. */
function normaliseHandle(handle: string): string {
  return handle.normalize('NFKC').trim().toLowerCase().replace(/^@/, '');
}
