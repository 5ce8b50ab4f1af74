import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../../db/connect.ts';
import {
  advanceSigningKeys,
  deleteRetiredSigningKeys,
  insertSigningKey,
  lockSigningKeys,
  type SigningKeyRow,
  selectSigningKeys,
} from '../../db/signing-key.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { createInstallationSeal, type InstallationSeal } from '../../privacy/installation-seal.ts';
import type { MasterKey } from '../../privacy/master-key.ts';

export interface SigningKeyDeps {
  readonly db: Kysely<Database>;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
}

/** A public key as others read it (RFC 7517). */
export interface PublicJwk extends JsonWebKey {
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

/** The keys of access tokens, shared by all processes through the database. */
export interface SigningKeys {
  /** The key that signs now. */
  active(): Promise<{ readonly kid: string; readonly privateKey: KeyObject }>;
  /** The public key of this id; null when there is none, or not any more. */
  verifier(kid: string): Promise<KeyObject | null>;
  /** What `/.well-known/jwks.json` answers. */
  published(): Promise<{ readonly keys: readonly PublicJwk[] }>;
}

/** A retired key is published for this long, in milliseconds: longer than a token lasts and other processes sign with it. */
const RETIRED_KEY_PUBLISHED_MS = 15 * 60_000;
/** Keys are read again after this long, in milliseconds: so long may a process sign with a key that was retired meanwhile. */
const KEYS_AGE_MAX_MS = 60_000;
/** An unknown key id makes them be read again, this often at most, in milliseconds: ids are made up for nothing. */
const UNKNOWN_KEY_RELOAD_MS = 5_000;

const KID_PATTERN = /^[A-Za-z0-9_-]{43}$/;

interface LoadedKey {
  readonly kid: string;
  readonly state: SigningKeyRow['state'];
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** The signing keys of this installation. The first process to start makes them. */
export async function createSigningKeys(deps: SigningKeyDeps): Promise<SigningKeys> {
  await ensureSigningKeys(deps);
  const sealing = sealOf(deps.masterKey);
  let keys: readonly LoadedKey[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  const read = async (): Promise<void> => {
    const at = deps.clock.nowMs();
    const rows = await selectSigningKeys(deps.db, { retiredSinceMs: at - RETIRED_KEY_PUBLISHED_MS });
    keys = rows.map((row) => loaded(sealing, row));
    readAt = at;
  };
  const current = async (ageMaxMs: number): Promise<readonly LoadedKey[]> => {
    if (deps.clock.nowMs() - readAt < ageMaxMs) return keys;
    // Whoever comes meanwhile waits for the same answer.
    reading ??= read().finally(() => {
      reading = null;
    });
    await reading;
    return keys;
  };
  return {
    active: async () => {
      const key = (await current(KEYS_AGE_MAX_MS)).find(({ state }) => state === 'ACTIVE');
      assert(key !== undefined, 'one key is always active');
      return key;
    },
    verifier: async (kid) => {
      if (!KID_PATTERN.test(kid)) return null;
      const find = (among: readonly LoadedKey[]) => among.find((key) => key.kid === kid)?.publicKey;
      return find(await current(KEYS_AGE_MAX_MS)) ?? find(await current(UNKNOWN_KEY_RELOAD_MS)) ?? null;
    },
    published: async () => ({ keys: (await current(KEYS_AGE_MAX_MS)).map(jwkOf) }),
  };
}

/**
 * Lets the next key sign, makes another next one, and keeps the old one published until the last token it signed has
 * expired. Tokens go on being good; other processes follow within a minute.
 */
export async function rotateSigningKeys(
  deps: SigningKeyDeps,
): Promise<{ readonly activeKid: string; readonly nextKid: string }> {
  const sealing = sealOf(deps.masterKey);
  const nowMs = deps.clock.nowMs();
  return deps.db.transaction().execute(async (tx) => {
    await lockSigningKeys(tx);
    const advanced = await advanceSigningKeys(tx, nowMs);
    const activeKid = advanced?.kid ?? (await putNewKey(tx, { sealing, state: 'ACTIVE', nowMs }));
    const nextKid = await putNewKey(tx, { sealing, state: 'NEXT', nowMs });
    await deleteRetiredSigningKeys(tx, nowMs - RETIRED_KEY_PUBLISHED_MS);
    return { activeKid, nextKid };
  });
}

async function ensureSigningKeys({ db, masterKey, clock }: SigningKeyDeps): Promise<void> {
  const nowMs = clock.nowMs();
  const inUse = (rows: readonly SigningKeyRow[]) => rows.filter(({ state }) => state !== 'RETIRED');
  if (inUse(await selectSigningKeys(db, { retiredSinceMs: nowMs })).length === 2) return;
  const sealing = sealOf(masterKey);
  await db.transaction().execute(async (tx) => {
    await lockSigningKeys(tx);
    const found = inUse(await selectSigningKeys(tx, { retiredSinceMs: nowMs }));
    for (const state of ['ACTIVE', 'NEXT'] as const) {
      if (!found.some((row) => row.state === state)) await putNewKey(tx, { sealing, state, nowMs });
    }
  });
}

/** Stores a new Ed25519 key and resolves to its id. */
async function putNewKey(
  tx: Transaction<Database>,
  options: {
    readonly sealing: InstallationSeal;
    readonly state: 'ACTIVE' | 'NEXT';
    readonly nowMs: number;
  },
): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x } = publicKey.export({ format: 'jwk' });
  assert(kty !== undefined && crv !== undefined && x !== undefined, 'an Ed25519 key has these');
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  await insertSigningKey(tx, {
    kid,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
    privateKey: options.sealing.seal(contextOf(kid), privateKey.export({ format: 'der', type: 'pkcs8' })),
    state: options.state,
    createdAt: options.nowMs,
  });
  return kid;
}

function loaded(sealing: InstallationSeal, { kid, state, publicKey, privateKey }: SigningKeyRow): LoadedKey {
  const own = createPrivateKey({
    key: sealing.open(contextOf(kid), privateKey),
    format: 'der',
    type: 'pkcs8',
  });
  const derived = createPublicKey(own);
  // Whoever can write to the database but has no master key must not get a key of theirs trusted.
  assert(
    derived.export({ format: 'der', type: 'spki' }).equals(publicKey),
    'a published key is the one whose private half we sealed',
  );
  return { kid, state, publicKey: derived, privateKey: own };
}

function jwkOf({ kid, publicKey }: LoadedKey): PublicJwk {
  return { ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' };
}

function sealOf(masterKey: MasterKey): InstallationSeal {
  return createInstallationSeal(masterKey, 'signing key wrapping');
}

function contextOf(kid: string): string {
  return `signing_key.private_key\n${kid}`;
}
