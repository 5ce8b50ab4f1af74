import {
  deleteOldestUserSessions,
  insertUserSession,
  selectUserSessionByHash,
  selectUserSessions,
  takeUserSession,
} from '../../db/user-session.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import {
  newRecord,
  renewedRecord,
  SESSIONS_PER_USER_MAX,
  type SessionLifetimes,
  type SessionStoreDeps,
  sessionOf,
  sessionsOf,
  touched,
} from './session-record.ts';
import type { SessionStore } from './session-store.ts';
import { hashOfSessionToken, isSessionToken, newSessionToken } from './session-token.ts';
import { sharedSessionActions } from './shared-session-actions.ts';

/** Sessions without a library. @see SessionStore */
export function createNativeSessionStore(deps: SessionStoreDeps, lifetimes: SessionLifetimes): SessionStore {
  const { db, bus, clock } = deps;
  return {
    ...sharedSessionActions(deps),
    create: async (request) => {
      const token = newSessionToken();
      const record = await newRecord(deps, lifetimes, request);
      await db.transaction().execute(async (tx) => {
        await insertUserSession(tx, { ...record, tokenHash: hashOfSessionToken(token) });
        await deleteOldestUserSessions(tx, { userId: record.userId, keep: SESSIONS_PER_USER_MAX });
      });
      return { token, session: await sessionOf(deps, record) };
    },
    validate: async (token) => {
      if (!isSessionToken(token)) return null;
      const row = await selectUserSessionByHash(db, hashOfSessionToken(token));
      if (row === undefined || row.expiresAt <= clock.nowMs()) return null;
      return sessionOf(deps, await touched(deps, lifetimes, row));
    },
    rotate: async (id, { mfaAt }) => {
      const token = newSessionToken();
      const record = await db.transaction().execute(async (tx) => {
        const row = await takeUserSession(tx, { id, nowMs: clock.nowMs() });
        if (row === undefined) return null;
        const renewed = await renewedRecord(deps, lifetimes, { row, mfaAt });
        await insertUserSession(tx, { ...renewed, tokenHash: hashOfSessionToken(token) });
        return renewed;
      });
      if (record === null) return null;
      await notifyAccessChanged(bus, record.userId);
      return { token, session: await sessionOf(deps, record) };
    },
    list: async (userId) => {
      const nowMs = clock.nowMs();
      const rows = await selectUserSessions(db, userId);
      return sessionsOf(
        deps,
        userId,
        rows.filter((row) => row.expiresAt > nowMs),
      );
    },
  };
}
