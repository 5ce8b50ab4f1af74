import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../db/connect.ts';
import { insertSubjectKeys, type SubjectKeyRow, selectSubjectKeys } from '../db/subject-key.ts';
import { UserError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { SubjectId } from './context.ts';
import { type DataKey, open, seal } from './envelope.ts';
import { deriveKey, type MasterKey } from './master-key.ts';
import { NonceSource } from './nonces.ts';

const DATA_KEY_BYTES = 32;
/** How long an unwrapped key may be used without asking the database whether it still exists, in milliseconds. */
export const KEY_AGE_MAX_MS = 60_000;

/** The database's keys were wrapped by another master key than ours. */
export class WrongMasterKeyError extends UserError {
  override readonly name = 'WrongMasterKeyError';
  readonly code = 'MASTER_KEY_WRONG';

  constructor() {
    super('The master key is not the one this database was made with: give the key that belongs to it.');
  }
}

/** Unwrapped data keys of lately used subjects, in front of the `subject_key` table. */
export class KeyRing {
  readonly #deps: { readonly db: Kysely<Database>; readonly masterKey: MasterKey; readonly clock: Clock };
  readonly #wrappingKey: KeyObject;
  readonly #nonces = new NonceSource();
  readonly #keysMax: number;
  /** In order of use, the longest unused first. */
  readonly #keys = new Map<SubjectId, { readonly key: DataKey; readonly readAt: number }>();

  constructor(
    deps: { readonly db: Kysely<Database>; readonly masterKey: MasterKey; readonly clock: Clock },
    keysMax: number,
  ) {
    this.#deps = deps;
    this.#wrappingKey = createSecretKey(deriveKey(deps.masterKey, 'data key wrapping'));
    this.#keysMax = keysMax;
  }

  /** @see Vault.dataKeys */
  async get(
    subjectIds: readonly SubjectId[],
    { create, fresh = false }: { readonly create: boolean; readonly fresh?: boolean },
    tx: Transaction<Database> | undefined,
  ): Promise<ReadonlyMap<SubjectId, DataKey>> {
    const found = new Map<SubjectId, DataKey>();
    const missing = new Set<SubjectId>();
    for (const subjectId of subjectIds) {
      const key = fresh ? undefined : this.#cached(subjectId);
      if (key === undefined) missing.add(subjectId);
      else found.set(subjectId, key);
    }
    if (missing.size > 0 && create) await this.#create(missing, found, tx);
    if (missing.size > 0) await this.#read(missing, found, tx);
    return found;
  }

  #cached(subjectId: SubjectId): DataKey | undefined {
    const entry = this.#keys.get(subjectId);
    if (entry === undefined) return undefined;
    this.#keys.delete(subjectId);
    if (this.#deps.clock.nowMs() - entry.readAt >= KEY_AGE_MAX_MS) return undefined;
    this.#keys.set(subjectId, entry);
    return entry.key;
  }

  /** Moves what the database has from `missing` to `found`. */
  async #read(
    missing: Set<SubjectId>,
    found: Map<SubjectId, DataKey>,
    tx: Transaction<Database> | undefined,
  ): Promise<void> {
    for (const row of await selectSubjectKeys(tx ?? this.#deps.db, [...missing])) {
      const key = this.#unwrap(row);
      // Within a transaction the row may be that transaction's own and never become real: then it must not be kept.
      if (tx === undefined) this.#keep(key);
      missing.delete(row.subjectId);
      found.set(row.subjectId, key);
    }
  }

  /**
   * Moves to `found` those for whom a new key was stored. Who stays in `missing` has one, by now committed: the insert
   * waited for a faster writer.
   */
  async #create(
    missing: Set<SubjectId>,
    found: Map<SubjectId, DataKey>,
    tx: Transaction<Database> | undefined,
  ): Promise<void> {
    const made = new Map([...missing].map((subjectId) => [subjectId, this.#newKey(subjectId)]));
    const stored = await insertSubjectKeys(
      tx ?? this.#deps.db,
      [...made.values()].map((key) => this.#wrap(key)),
    );
    for (const [subjectId, key] of made) {
      if (!stored.has(subjectId)) continue;
      if (tx === undefined) this.#keep(key);
      missing.delete(subjectId);
      found.set(subjectId, key);
    }
  }

  #keep(key: DataKey): void {
    this.#keys.set(key.subjectId, { key, readAt: this.#deps.clock.nowMs() });
    if (this.#keys.size <= this.#keysMax) return;
    const oldest = this.#keys.keys().next();
    if (!oldest.done) this.#keys.delete(oldest.value);
  }

  #wrap(key: DataKey): SubjectKeyRow {
    const wrappedKey = seal(this.#wrapper(key.subjectId), WRAP_CONTEXT, key.secret.export());
    return { subjectId: key.subjectId, wrappedKey, masterKeyVersion: this.#deps.masterKey.version };
  }

  #unwrap(row: SubjectKeyRow): DataKey {
    if (row.masterKeyVersion !== this.#deps.masterKey.version) throw new WrongMasterKeyError();
    const secret = createSecretKey(open(this.#wrapper(row.subjectId), WRAP_CONTEXT, row.wrappedKey));
    return { subjectId: row.subjectId, secret, nonces: this.#nonces };
  }

  #newKey(subjectId: SubjectId): DataKey {
    return { subjectId, secret: createSecretKey(randomBytes(DATA_KEY_BYTES)), nonces: this.#nonces };
  }

  /** The wrapping key as the subject's: a wrapped key moved to another subject's row does not open. */
  #wrapper(subjectId: SubjectId): DataKey {
    return { subjectId, secret: this.#wrappingKey, nonces: this.#nonces };
  }
}

const WRAP_CONTEXT = 'subject_key.wrapped_key';
