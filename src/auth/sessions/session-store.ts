import type { Id, SignInId, UserId } from '../../lib/ids.ts';

/** Where a sign-in came from, when it was not a password: it ends with that. */
export interface ExternalOrigin {
  readonly identityId: Id<'externalIdentity'>;
  /** Keyed hash of the session at the identity's issuer; null: there is none that could end. */
  readonly sessionHash: Buffer | null;
}

/** A sign-in that lasts. Times are milliseconds since the Unix epoch. */
export interface UserSession {
  /** Public: names it in lists, opens nothing. */
  readonly id: SignInId;
  readonly userId: UserId;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** When it ends unless it is used; never after `absoluteExpiresAt`. */
  readonly expiresAt: number;
  readonly absoluteExpiresAt: number;
  /** When a second factor was last shown in it; null: never. */
  readonly mfaAt: number | null;
  readonly userAgent: string | null;
  readonly address: string | null;
  /** Null: it came of a password, or of an identity that is not linked any more. */
  readonly external: ExternalOrigin | null;
}

/** A new session with what opens it: the token leaves in the cookie and is kept nowhere. */
export interface IssuedSession {
  readonly token: string;
  readonly session: UserSession;
}

/** What a session is made with. */
export interface NewSession {
  readonly userId: UserId;
  readonly mfaAt: number | null;
  readonly userAgent: string | null;
  readonly address: string | null;
  /** Left out: it comes of a password. */
  readonly external?: ExternalOrigin;
}

/**
 * Sessions of users. Two implementations pass one suite of tests on the same table, so that one replaces the other without
 * a migration and without signing anybody out. A token is never stored; nothing that is stored opens a session.
 */
export interface SessionStore {
  create(request: NewSession): Promise<IssuedSession>;
  /** The session that this token opens; null when it opens none (unknown, ended, or not a token at all). */
  validate(token: string): Promise<UserSession | null>;
  /** The session with this id while it lasts. */
  find(id: SignInId): Promise<UserSession | null>;
  /**
   * The same sign-in under a new token (and a new id), the old one ended: after every change of privilege. The absolute
   * end stays. Null when it has ended.
   */
  rotate(id: SignInId, change: { readonly mfaAt?: number }): Promise<IssuedSession | null>;
  /** Ends one of the user's sessions. False when they have no such one. */
  revoke(request: { readonly userId: UserId; readonly id: SignInId }): Promise<boolean>;
  /** Ends all sessions of the user but one. Returns how many. */
  revokeAll(userId: UserId, options: { readonly except: SignInId | null }): Promise<number>;
  /** The user's sessions that last, newest first. */
  list(userId: UserId): Promise<readonly UserSession[]>;
  /** Removes what has ended. Returns how many. */
  sweep(): Promise<number>;
}
