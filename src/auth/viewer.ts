import type { AccessKeyId, ChannelId, ClientId, ClientKeyId, Id, SignInId, UserId } from '../lib/ids.ts';
import type { ChannelPermission, PlatformPermission } from './permissions.ts';

/** What somebody is on the whole installation. */
export const PLATFORM_ROLES = ['USER', 'ADMIN', 'COMPLIANCE'] as const;
export type PlatformRole = (typeof PLATFORM_ROLES)[number];

/** What somebody is in a channel, the most powerful first. */
export const CHANNEL_ROLES = ['OWNER', 'MODERATOR', 'VIEWER'] as const;
export type ChannelRole = (typeof CHANNEL_ROLES)[number];

/** What an integrator's key may be good for. */
export const CLIENT_SCOPES = [
  'EVENTS_READ',
  'EVENTS_PII',
  'HISTORY_READ',
  'ANALYTICS_READ',
  'RULES_READ',
  'RULES_WRITE',
] as const;
export type ClientScope = (typeof CLIENT_SCOPES)[number];

/** Nobody we know: may sign up and sign in. */
export interface Anonymous {
  readonly kind: 'ANONYMOUS';
}

/** Holds the key derived from the master key: acts as OWNER of every channel, and is no administrator. */
export interface Operator {
  readonly kind: 'OPERATOR';
  readonly accessKeyId: AccessKeyId;
}

/** A channel's page in OBS. */
export interface OverlayViewer {
  readonly kind: 'OVERLAY';
  readonly accessKeyId: AccessKeyId;
  readonly channelId: ChannelId;
}

/** A second factor: not asked for, shown in this sign-in, or still owed. Who owes it may only see to their own account. */
export type MfaState = 'NOT_REQUIRED' | 'DONE' | 'MISSING';

/** By what a user is known: a sign-in of the browser, or a family of tokens. */
export type UserCredential =
  | { readonly kind: 'SESSION'; readonly id: SignInId }
  | { readonly kind: 'TOKEN'; readonly id: Id<'tokenFamily'> | SignInId; readonly expiresAtMs: number };

/** Somebody signed in. */
export interface SignedInUser {
  readonly kind: 'USER';
  readonly userId: UserId;
  readonly platformRole: PlatformRole;
  readonly emailVerified: boolean;
  readonly credential: UserCredential;
  readonly mfa: MfaState;
  /** Until when a factor counts as freshly shown, for what is dangerous, in milliseconds; null: it does not. */
  readonly freshUntilMs: number | null;
  readonly memberships: ReadonlyMap<ChannelId, ChannelRole>;
  /** Channels that staff may look into for a reason that was logged. */
  readonly staffAccess: ReadonlySet<ChannelId>;
}

/** An integrator's application, by one of its keys. */
export interface ClientViewer {
  readonly kind: 'CLIENT';
  readonly clientId: ClientId;
  readonly keyId: ClientKeyId;
  readonly channelId: ChannelId;
  readonly scopes: ReadonlySet<ClientScope>;
  /** Pages of these origins may use it; what is no page sends no origin. */
  readonly allowedOrigins: ReadonlySet<string>;
  /** Points a minute, at most what everybody has; null: just that. */
  readonly costPerMinute: number | null;
}

/** Who somebody is on the whole installation, as far as fields ask. @see schema/scopes.ts */
export const STANDINGS = ['anybody', 'signedIn', 'user', 'viewer', 'reader', 'operator'] as const;
export type Standing = (typeof STANDINGS)[number];

/**
 * What several subscribers of a channel have in common: the answers to what the fields of one document ask about who reads
 * them, and nothing of any person. What was not declared beforehand cannot be asked.
 */
export interface SubscriberView {
  readonly kind: 'VIEW';
  readonly channelId: ChannelId;
  /** @throws UndeclaredRightError when the document's fields do not say that they ask it. */
  holds(right: Right): boolean;
  /** @throws UndeclaredRightError always: what was asked needs a person, or another channel. */
  needsPerson(): never;
}

/** Something that fields ask about who reads them. */
export type Right = `is ${Standing}` | `platform ${PlatformPermission}` | `channel ${ChannelPermission}`;

/** Who came with a request. */
export type Viewer = Anonymous | Operator | OverlayViewer | SignedInUser | ClientViewer;

/** Whom a resolver answers: somebody, or what several subscribers have in common. */
export type Reader = Viewer | SubscriberView;

export const ANONYMOUS: Anonymous = Object.freeze({ kind: 'ANONYMOUS' });

/** Somebody we know. */
export type KnownViewer = Exclude<Viewer, Anonymous>;

/** Names whom caps and quotas count by: a client with all its keys, a user with all they came with, or another key. */
export function holderKey(viewer: KnownViewer): string {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'OVERLAY':
      return viewer.accessKeyId;
    case 'CLIENT':
      return viewer.clientId;
    case 'USER':
      return viewer.userId;
  }
}
