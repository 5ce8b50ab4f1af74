import type { Kysely } from 'kysely';
import { type Adapter, type DatabaseSession, Lucia, TimeSpan } from 'lucia';
import type { Database } from '../../db/connect.ts';
import {
  deleteEndedUserSessions,
  deleteOldestUserSessions,
  deleteUserSessionByHash,
  deleteUserSessions,
  insertUserSession,
  selectUserSessionByHash,
  selectUserSessions,
  takeUserSession,
  type UserSessionRow,
  updateUserSessionExpiry,
} from '../../db/user-session.ts';
import { assert } from '../../lib/assert.ts';
import { systemClock } from '../../lib/clock.ts';
import type { UserId as OurUserId } from '../../lib/ids.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import {
  newRecord,
  renewedRecord,
  SESSIONS_PER_USER_MAX,
  type SessionLifetimes,
  type SessionRecord,
  type SessionStoreDeps,
  sessionOf,
  sessionsOf,
  touched,
} from './session-record.ts';
import type { SessionStore } from './session-store.ts';
import { hashOfSessionToken, isSessionToken } from './session-token.ts';
import { sharedSessionActions } from './shared-session-actions.ts';

interface Attributes {
  readonly record: SessionRecord;
}
type LuciaSessions = Lucia<Attributes, Record<never, never>>;

declare module 'lucia' {
  interface Register {
    UserId: OurUserId;
    Lucia: LuciaSessions;
    DatabaseSessionAttributes: Attributes;
  }
}

/**
 * Sessions by the lucia library, which knows nothing of hashes and of absolute ends: both are the adapter's. The only file that
 * imports the library. @see SessionStore
 */
export function createLuciaSessionStore(deps: SessionStoreDeps, lifetimes: SessionLifetimes): SessionStore {
  const { db, bus, clock } = deps;
  const sessions = luciaOver(deps, lifetimes, db);
  return {
    ...sharedSessionActions(deps),
    create: async (request) => {
      const record = await newRecord(deps, lifetimes, request);
      const { id: token } = await db.transaction().execute(async (tx) => {
        const made = await luciaOver(deps, lifetimes, tx).createSession(record.userId, { record });
        await deleteOldestUserSessions(tx, { userId: record.userId, keep: SESSIONS_PER_USER_MAX });
        return made;
      });
      return { token, session: await sessionOf(deps, record) };
    },
    validate: async (token) => {
      const { session } = await sessions.validateSession(token);
      if (session === null) return null;
      const tokenHash = hashOfSessionToken(token);
      return sessionOf(deps, await touched(deps, lifetimes, { ...session.record, tokenHash }));
    },
    rotate: async (id, { mfaAt }) => {
      const issued = await db.transaction().execute(async (tx) => {
        const row = await takeUserSession(tx, { id, nowMs: clock.nowMs() });
        if (row === undefined) return null;
        const record = await renewedRecord(deps, lifetimes, { row, mfaAt });
        const made = await luciaOver(deps, lifetimes, tx).createSession(record.userId, { record });
        return { record, token: made.id };
      });
      if (issued === null) return null;
      await notifyAccessChanged(bus, issued.record.userId);
      return { token: issued.token, session: await sessionOf(deps, issued.record) };
    },
    list: async (userId) => {
      const found = await sessions.getUserSessions(userId);
      return sessionsOf(
        deps,
        userId,
        found.map(({ record }) => record),
      );
    },
  };
}

function luciaOver(deps: SessionStoreDeps, lifetimes: SessionLifetimes, db: Kysely<Database>): LuciaSessions {
  return new Lucia<Attributes, Record<never, never>>(adapterOver(deps, db), {
    sessionExpiresIn: new TimeSpan(lifetimes.idleMs, 'ms'),
    getSessionAttributes: ({ record }) => ({ record }),
    getUserAttributes: () => ({}),
  });
}

/** What reads answer as a session's id. It names the row for lucia's writes, and opens nothing. */
const HANDLE_PATTERN = /^h_[0-9a-f]{64}$/;

/**
 * Lucia's storage. Reads take the token alone: a handle or a bare hash, which somebody may have from a stolen copy of the
 * database, opens nothing. Lucia reads the machine's clock itself, so times are shifted between that one and ours.
 */
function adapterOver({ clock }: SessionStoreDeps, db: Kysely<Database>): Adapter {
  const ahead = () => systemClock.nowMs() - clock.nowMs();
  const sessionFrom = (row: UserSessionRow): DatabaseSession => ({
    id: `h_${row.tokenHash.toString('hex')}`,
    userId: row.userId,
    expiresAt: new Date(row.expiresAt + ahead()),
    attributes: { record: row },
  });
  return {
    getSessionAndUser: async (id) => {
      if (!isSessionToken(id)) return [null, null];
      const row = await selectUserSessionByHash(db, hashOfSessionToken(id));
      return row === undefined ? [null, null] : [sessionFrom(row), { id: row.userId, attributes: {} }];
    },
    getUserSessions: async (userId) => (await selectUserSessions(db, userId)).map(sessionFrom),
    setSession: async ({ id, attributes: { record } }) => {
      assert(isSessionToken(id), 'lucia makes tokens of 200 bits');
      await insertUserSession(db, { ...record, tokenHash: hashOfSessionToken(id) });
    },
    updateSessionExpiration: (id, expiresAt) =>
      updateUserSessionExpiry(db, { tokenHash: rowKey(id), expiresAt: expiresAt.getTime() - ahead() }),
    deleteSession: (id) => deleteUserSessionByHash(db, rowKey(id)),
    deleteUserSessions: async (userId) => {
      await deleteUserSessions(db, { userId, except: null });
    },
    deleteExpiredSessions: async () => {
      await deleteEndedUserSessions(db, clock.nowMs());
    },
  };
}

function rowKey(id: string): Buffer {
  assert(HANDLE_PATTERN.test(id), 'lucia writes by the handles that reads gave it');
  return Buffer.from(id.slice(2), 'hex');
}
