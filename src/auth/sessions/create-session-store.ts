import { createLuciaSessionStore } from './lucia-session-store.ts';
import { createNativeSessionStore } from './native-session-store.ts';
import type { SessionLifetimes, SessionStoreDeps } from './session-record.ts';
import type { SessionStore } from './session-store.ts';

/** Which implementation keeps sessions, and how long they last. */
export interface SessionOptions extends SessionLifetimes {
  readonly store: 'lucia' | 'native';
}

/** What sessions are like unless said otherwise: a week without use, a month at all. */
export const DEFAULT_SESSION_OPTIONS: SessionOptions = {
  store: 'lucia',
  idleMs: 7 * 86_400_000,
  absoluteMs: 30 * 86_400_000,
};

/** The configured session store. Both work on the same table: changing the setting signs nobody out. */
export function createSessionStore(deps: SessionStoreDeps, options: SessionOptions): SessionStore {
  switch (options.store) {
    case 'lucia':
      return createLuciaSessionStore(deps, options);
    case 'native':
      return createNativeSessionStore(deps, options);
  }
}
