import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { notifyAccessChanged } from '../auth/access-topic.ts';
import type { CredentialKind } from '../auth/credential-kind.ts';
import { CLIENT_SCOPES, type ClientScope, type ClientViewer, type Viewer } from '../auth/viewer.ts';
import type { EventBus } from '../bus/port.ts';
import {
  type ClientKeyRow,
  insertClientKey,
  revokeClientKey as revokeKeyRow,
  selectClientKey,
  selectClientKeyByHash,
  selectClientKeys,
  selectValidClientKeys,
  type ValidClientKeyRow,
} from '../db/client-key.ts';
import type { Database } from '../db/connect.ts';
import { type InputIssue, InvalidInputError } from '../errors/invalid-input.ts';
import type { Clock } from '../lib/clock.ts';
import { type ClientId, type ClientKeyId, newId } from '../lib/ids.ts';
import { sha256 } from '../lib/sha256.ts';
import { ClientKeyLimitError, ClientKeyNotFoundError, ClientNotFoundError } from './errors.ts';
import { lockManagedClient } from './managed.ts';

/** 256 bits in base64url behind the prefix. Anything else is not looked up. */
const KEY_PATTERN = /^tlc_[A-Za-z0-9_-]{43}$/;
const PREFIX_LENGTH = 8;
const KEYS_SHOWN_MAX = 20;
/** The one in use and the one that takes its place. */
const ACTIVE_KEYS_MAX = 2;
const DAY_MS = 86_400_000;
/** The longest a key may live, in days. */
export const KEY_DAYS_MAX = 365;

interface Deps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/**
 * Makes a key for a client. The secret is known to the caller alone, and never again.
 * @throws InvalidInputError, ClientNotFoundError, ClientKeyLimitError when two keys are active
 */
export async function createClientKey(
  { db, clock }: Deps,
  viewer: Viewer,
  request: {
    readonly clientId: ClientId;
    readonly scopes: readonly ClientScope[];
    readonly expiresInDays: number;
  },
): Promise<{ readonly key: ClientKeyRow; readonly secret: string }> {
  const scopes = CLIENT_SCOPES.filter((scope) => request.scopes.includes(scope));
  const issues: InputIssue[] = [];
  if (scopes.length === 0)
    issues.push({ path: ['scopes'], code: 'OUT_OF_RANGE', message: 'A key needs a scope.' });
  if (request.expiresInDays < 1 || request.expiresInDays > KEY_DAYS_MAX) {
    const message = `A key lives from 1 to ${KEY_DAYS_MAX} days.`;
    issues.push({ path: ['expiresInDays'], code: 'OUT_OF_RANGE', message });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  const createdAt = clock.nowMs();
  const id = newId('clientKey', createdAt);
  const text = randomBytes(32).toString('base64url');
  const secret = `tlc_${text}`;
  await db.transaction().execute(async (tx) => {
    await lockManagedClient(tx, viewer, request.clientId);
    const stored = await insertClientKey(
      tx,
      {
        id,
        clientId: request.clientId,
        keyHash: sha256(secret),
        prefix: text.slice(0, PREFIX_LENGTH),
        scopes,
        createdBy: viewer.kind === 'USER' ? viewer.userId : null,
        createdAt,
        expiresAt: createdAt + request.expiresInDays * DAY_MS,
      },
      ACTIVE_KEYS_MAX,
    );
    if (!stored) throw new ClientKeyLimitError(ACTIVE_KEYS_MAX);
  });
  const key = await selectClientKey(db, id);
  if (key === undefined) throw new ClientNotFoundError(); // deleted meanwhile, with its client
  return { key, secret };
}

/**
 * Revokes a key at once, everywhere. Doing it again changes nothing.
 * @throws ClientKeyNotFoundError
 */
export async function revokeClientKey(
  { db, bus, clock }: Deps,
  viewer: Viewer,
  id: ClientKeyId,
): Promise<ClientKeyRow> {
  const known = await selectClientKey(db, id);
  if (known === undefined) throw new ClientKeyNotFoundError();
  await db.transaction().execute(async (tx) => {
    await lockManagedClient(tx, viewer, known.clientId).catch((error: unknown) => {
      throw error instanceof ClientNotFoundError ? new ClientKeyNotFoundError() : error;
    });
    await revokeKeyRow(tx, id, clock.nowMs());
  });
  await notifyAccessChanged(bus, null);
  const key = await selectClientKey(db, id);
  if (key === undefined) throw new ClientKeyNotFoundError();
  return key;
}

/** A client's keys, the newest first, 20 at most; revoked and expired ones too. */
export function listClientKeys(
  { db }: Pick<Deps, 'db'>,
  clientId: ClientId,
): Promise<readonly ClientKeyRow[]> {
  return selectClientKeys(db, clientId, KEYS_SHOWN_MAX);
}

/** The key of this id, or undefined. */
export function findClientKey({ db }: Pick<Deps, 'db'>, id: ClientKeyId): Promise<ClientKeyRow | undefined> {
  return selectClientKey(db, id);
}

/** Who holds this key; null when it opens nothing: unknown, revoked, expired, or of a disabled client. */
export async function authenticateClientKey(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  key: string,
): Promise<ClientViewer | null> {
  if (!KEY_PATTERN.test(key)) return null;
  const hash = sha256(key);
  const row = await selectClientKeyByHash(db, hash, clock.nowMs());
  return row === undefined || !timingSafeEqual(row.keyHash, hash) ? null : viewerOf(row);
}

/** The keys of integrators' applications, as credentials. */
export function clientKeyCredential(deps: Pick<Deps, 'db' | 'clock'>): CredentialKind {
  return {
    recognises: (credential) => credential.kind === 'BEARER' && KEY_PATTERN.test(credential.text),
    authenticate: async (credential) =>
      credential.kind === 'BEARER' ? authenticateClientKey(deps, credential.text) : null,
    refresh: async (viewers) => {
      const ids = viewers.flatMap((viewer) => (viewer.kind === 'CLIENT' ? [viewer.keyId] : []));
      if (ids.length === 0) return new Map();
      const rows = await selectValidClientKeys(deps.db, ids, deps.clock.nowMs());
      return new Map(rows.map((row) => [row.id, viewerOf(row)]));
    },
  };
}

/** How many points a minute the viewer may spend; null: what everybody has. */
export function quotaOf(viewer: Viewer): number | null {
  return viewer.kind === 'CLIENT' ? viewer.costPerMinute : null;
}

function viewerOf(row: ValidClientKeyRow): ClientViewer {
  return {
    kind: 'CLIENT',
    clientId: row.clientId,
    keyId: row.id,
    channelId: row.channelId,
    scopes: new Set(row.scopes),
    allowedOrigins: new Set(row.allowedOrigins),
    costPerMinute: row.costPerMinute,
  };
}
