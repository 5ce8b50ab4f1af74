import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import { touchUserSession, type UserSessionRow } from '../../db/user-session.ts';
import type { Clock } from '../../lib/clock.ts';
import { newId, type SignInId, type UserId } from '../../lib/ids.ts';
import { sealContext } from '../../privacy/context.ts';
import { type DataKey, open, seal } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { NewSession, UserSession } from './session-store.ts';

/** What a session store works with. */
export interface SessionStoreDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/** How long sessions last, in milliseconds. */
export interface SessionLifetimes {
  /** Without being used. */
  readonly idleMs: number;
  /** However much they are used. */
  readonly absoluteMs: number;
}

/** Sessions that a user may have at a time; beyond it the one unused for longest ends. */
export const SESSIONS_PER_USER_MAX = 50;

/** A session's use is written down at most this often, in milliseconds. */
const TOUCH_EVERY_MS = 60_000;

/** Browsers send some 150 characters; what is longer is cut. */
const USER_AGENT_LENGTH_MAX = 400;

/** A session as it is stored, but for the hash of its token. */
export type SessionRecord = Omit<UserSessionRow, 'tokenHash'>;

/** The record of a sign-in that begins now. */
export async function newRecord(
  deps: SessionStoreDeps,
  lifetimes: SessionLifetimes,
  request: NewSession,
): Promise<SessionRecord> {
  const nowMs = deps.clock.nowMs();
  const session = {
    id: newId('signIn', nowMs),
    userId: request.userId,
    createdAt: nowMs,
    lastSeenAt: nowMs,
    expiresAt: nowMs + Math.min(lifetimes.idleMs, lifetimes.absoluteMs),
    absoluteExpiresAt: nowMs + lifetimes.absoluteMs,
    mfaAt: request.mfaAt,
    userAgent: request.userAgent,
    address: request.address,
    external: request.external ?? null,
  };
  return sealed(session, await keyOf(deps, request.userId));
}

/** The same sign-in under another id. Its absolute end stays. */
export async function renewedRecord(
  deps: SessionStoreDeps,
  lifetimes: SessionLifetimes,
  { row, mfaAt }: { readonly row: UserSessionRow; readonly mfaAt: number | undefined },
): Promise<SessionRecord> {
  const nowMs = deps.clock.nowMs();
  const key = await keyOf(deps, row.userId);
  const session = {
    ...opened(row, key),
    id: newId('signIn', nowMs),
    lastSeenAt: nowMs,
    expiresAt: Math.min(nowMs + lifetimes.idleMs, row.absoluteExpiresAt),
    mfaAt: mfaAt ?? row.mfaAt,
  };
  return sealed(session, key);
}

/** Notes now and then that the session is used, which prolongs it. Resolves to the session as it is then. */
export async function touched(
  deps: SessionStoreDeps,
  lifetimes: SessionLifetimes,
  row: UserSessionRow,
): Promise<UserSessionRow> {
  const nowMs = deps.clock.nowMs();
  if (nowMs - row.lastSeenAt < TOUCH_EVERY_MS) return row;
  const expiresAt = Math.min(nowMs + lifetimes.idleMs, row.absoluteExpiresAt);
  await touchUserSession(deps.db, { tokenHash: row.tokenHash, nowMs, expiresAt });
  return { ...row, lastSeenAt: nowMs, expiresAt: Math.max(row.expiresAt, expiresAt) };
}

/** The session as the domain sees it. */
export async function sessionOf(deps: SessionStoreDeps, record: SessionRecord): Promise<UserSession> {
  return opened(record, await keyOf(deps, record.userId));
}

/** Sessions of one user as the domain sees them. */
export async function sessionsOf(
  deps: SessionStoreDeps,
  userId: UserId,
  records: readonly SessionRecord[],
): Promise<readonly UserSession[]> {
  const key = records.length === 0 ? undefined : await keyOf(deps, userId);
  return records.map((record) => opened(record, key));
}

/** Undefined for a user whose data was erased: nothing more is sealed for them. */
async function keyOf({ vault }: SessionStoreDeps, userId: UserId): Promise<DataKey | undefined> {
  const keys = await vault.dataKeys([userId], { create: false });
  return keys.get(userId);
}

function sealed(session: UserSession, key: DataKey | undefined): SessionRecord {
  const seals = (context: (id: SignInId) => string, text: string | null): Buffer | null =>
    key === undefined || text === null ? null : seal(key, context(session.id), text);
  const { external, ...rest } = session;
  return {
    ...rest,
    externalIdentityId: external?.identityId ?? null,
    externalSessionHash: external?.sessionHash ?? null,
    userAgent: seals(
      sealContext.sessionUserAgent,
      session.userAgent?.slice(0, USER_AGENT_LENGTH_MAX) ?? null,
    ),
    address: seals(sealContext.sessionAddress, session.address),
  };
}

function opened(record: SessionRecord, key: DataKey | undefined): UserSession {
  const opens = (context: (id: SignInId) => string, bytes: Buffer | null): string | null =>
    key === undefined || bytes === null ? null : open(key, context(record.id), bytes).toString('utf8');
  const { externalIdentityId: identityId, externalSessionHash: sessionHash } = record;
  return {
    id: record.id,
    userId: record.userId,
    createdAt: record.createdAt,
    lastSeenAt: record.lastSeenAt,
    expiresAt: record.expiresAt,
    absoluteExpiresAt: record.absoluteExpiresAt,
    mfaAt: record.mfaAt,
    userAgent: opens(sealContext.sessionUserAgent, record.userAgent),
    address: opens(sealContext.sessionAddress, record.address),
    external: identityId === null ? null : { identityId, sessionHash },
  };
}
