import { type ChannelPermission, mayInChannel, type PlatformPermission } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/** What a type or field may demand of who asks. */
export interface Scopes {
  /** Anybody, known or not: signing up and in. */
  anybody: boolean;
  /** A user, even one who still owes a second factor: their own account. */
  signedIn: boolean;
  /** A user who owes nothing. */
  user: boolean;
  /** Anybody with a valid credential who owes nothing. What it shows is decided per row. */
  viewer: boolean;
  /** The same without overlays, which know one channel and look nothing up. */
  reader: boolean;
  /** The holder of the installation's key. */
  operator: boolean;
  /** A permission on the whole installation. */
  platform: PlatformPermission;
  /** A factor shown within the last minutes. */
  fresh: true;
}

// Constant objects: scope-auth remembers their outcome by identity.
export const PUBLIC = Object.freeze({ anybody: true });
export const SIGNED_IN = Object.freeze({ signedIn: true });
export const USER = Object.freeze({ user: true });
export const VIEWER = Object.freeze({ viewer: true });
export const READER = Object.freeze({ reader: true });
/** Users, and the holder of the installation's key: what the domain then decides per channel. */
export const OWNERS = Object.freeze({ user: true, operator: true });

type ScopeMap = Partial<Scopes>;

/** A permission on the whole installation. */
export function platform(permission: PlatformPermission): { readonly platform: PlatformPermission } {
  return Object.freeze({ platform: permission });
}

/** Any of `scope`, and a factor that the user has shown within the last five minutes: for what is dangerous. */
export function withStepUp<S extends ScopeMap>(
  scope: S,
): { readonly $all: { readonly $any: S; readonly fresh: true } } {
  return Object.freeze({ $all: Object.freeze({ $any: scope, fresh: true as const }) });
}

/** A scope that looks at the row. `requires` says it for programs: the list of scopes, and views of subscribers. */
export interface RowScope<Parent> {
  (parent: Parent, args: object, context: AppContext): boolean;
  readonly requires: ChannelPermission;
}

/** A permission in the channel that the row belongs to. */
export function inChannel<Parent>(
  permission: ChannelPermission,
  channelOf: (parent: Parent) => ChannelId,
): RowScope<Parent> {
  const scope = (parent: Parent, _args: object, { reader }: AppContext) =>
    mayInChannel(reader, channelOf(parent), permission);
  return Object.assign(scope, { requires: permission });
}

/** The same for a whole type: its fields ask before they look at their own scope. */
export interface TypeScope<Parent> {
  (parent: Parent, context: AppContext): boolean;
  readonly requires: ChannelPermission;
}

/** A permission in the channel that every row of a type belongs to. */
export function typeInChannel<Parent>(
  permission: ChannelPermission,
  channelOf: (parent: Parent) => ChannelId,
): TypeScope<Parent> {
  const scope = (parent: Parent, { reader }: AppContext) =>
    mayInChannel(reader, channelOf(parent), permission);
  return Object.assign(scope, { requires: permission });
}

/** The channel of a row that names it. */
export function itsChannel({ channelId }: { readonly channelId: ChannelId }): ChannelId {
  return channelId;
}

/** A permission in the channel of a row that names it. */
export function inItsChannel(permission: ChannelPermission): RowScope<{ readonly channelId: ChannelId }> {
  return inChannel(permission, itsChannel);
}
