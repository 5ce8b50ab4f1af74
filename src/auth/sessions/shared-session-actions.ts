import {
  deleteEndedUserSessions,
  deleteUserSession,
  deleteUserSessions,
  selectUserSession,
} from '../../db/user-session.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { type SessionStoreDeps, sessionOf } from './session-record.ts';
import type { SessionStore } from './session-store.ts';

/** What every session store does alike: it goes by public ids, which no library knows. */
export type SharedSessionActions = Pick<SessionStore, 'find' | 'revoke' | 'revokeAll' | 'sweep'>;

/** The actions of a session store that do not concern tokens. */
export function sharedSessionActions(deps: SessionStoreDeps): SharedSessionActions {
  const { db, bus, clock } = deps;
  return {
    find: async (id) => {
      const row = await selectUserSession(db, { id, nowMs: clock.nowMs() });
      return row === undefined ? null : sessionOf(deps, row);
    },
    revoke: async (request) => {
      const ended = await deleteUserSession(db, request);
      if (ended) await notifyAccessChanged(bus, request.userId);
      return ended;
    },
    revokeAll: async (userId, { except }) => {
      const ended = await deleteUserSessions(db, { userId, except });
      // Also when there was none: what was cached of one that ended just now must go.
      await notifyAccessChanged(bus, userId);
      return ended;
    },
    sweep: () => deleteEndedUserSessions(db, clock.nowMs()),
  };
}
