import type { ChannelId } from '../lib/ids.ts';
import type { ChannelRole, ClientScope, PlatformRole, Reader } from './viewer.ts';

/** What may be done in a channel. */
export const CHANNEL_PERMISSIONS = [
  /** That it is there, and whether it is on air. */
  'CHANNEL_VIEW',
  /** Whose it is, and how it is set up. */
  'CHANNEL_DETAILS',
  'LIVE_READ',
  'HISTORY_READ',
  /** Names, handles, ids, pictures and texts of viewers. Without it: aliases. */
  'PII_READ',
  /** Of these what an overlay puts on screen: names, pictures and texts. */
  'PII_SCREEN',
  'ANALYTICS_TOTALS',
  'ANALYTICS_FULL',
  'REPLAY_VIEW',
  'REPLAY_RUN',
  'OVERLAY_VIEW',
  'OVERLAY_MANAGE',
  'MEMBERS_VIEW',
  'MEMBERS_MANAGE',
  'CLIENTS_VIEW',
  'CLIENTS_MANAGE',
  'CHANNEL_MANAGE',
] as const;
export type ChannelPermission = (typeof CHANNEL_PERMISSIONS)[number];

/** What may be done on the whole installation. */
export const PLATFORM_PERMISSIONS = [
  'USERS_MANAGE',
  'ROLES_MANAGE',
  'AUDIT_READ',
  'CLIENTS_ADMIN',
  'CHANNELS_ADMIN',
  /** Look into a channel for a reason that is logged. */
  'STAFF_ACCESS',
] as const;
export type PlatformPermission = (typeof PLATFORM_PERMISSIONS)[number];

type Permissions = ReadonlySet<ChannelPermission>;

const EVERYTHING: Permissions = new Set(CHANNEL_PERMISSIONS);
const NOTHING: Permissions = new Set();

/** The table of roles, as docs/roles.md shows it. */
const OF_ROLE: Readonly<Record<ChannelRole, Permissions>> = {
  OWNER: EVERYTHING,
  MODERATOR: new Set<ChannelPermission>([
    'CHANNEL_VIEW',
    'CHANNEL_DETAILS',
    'LIVE_READ',
    'HISTORY_READ',
    'PII_READ',
    'PII_SCREEN',
    'ANALYTICS_TOTALS',
    'ANALYTICS_FULL',
    'REPLAY_VIEW',
    'OVERLAY_VIEW',
    'MEMBERS_VIEW',
  ]),
  VIEWER: new Set<ChannelPermission>(['CHANNEL_VIEW', 'CHANNEL_DETAILS', 'HISTORY_READ', 'ANALYTICS_TOTALS']),
};

const OF_OVERLAY: Permissions = new Set<ChannelPermission>(['CHANNEL_VIEW', 'LIVE_READ', 'PII_SCREEN']);

const OF_SCOPE: Readonly<Record<ClientScope, readonly ChannelPermission[]>> = {
  EVENTS_READ: ['LIVE_READ'],
  EVENTS_PII: ['PII_READ', 'PII_SCREEN'],
  HISTORY_READ: ['HISTORY_READ'],
  ANALYTICS_READ: ['ANALYTICS_TOTALS', 'ANALYTICS_FULL'],
  RULES_READ: [],
  RULES_WRITE: [],
};

/** An administrator sees that a channel exists and who belongs to it, and nothing that happens in it. */
const OF_ADMIN: Permissions = new Set<ChannelPermission>([
  'CHANNEL_VIEW',
  'CHANNEL_DETAILS',
  'MEMBERS_VIEW',
  'CLIENTS_VIEW',
]);
/** What a logged reason adds for staff. */
const OF_STAFF_ACCESS: Permissions = new Set<ChannelPermission>([
  'CHANNEL_VIEW',
  'CHANNEL_DETAILS',
  'HISTORY_READ',
  'PII_READ',
  'PII_SCREEN',
  'ANALYTICS_TOTALS',
  'ANALYTICS_FULL',
]);

const OF_PLATFORM_ROLE: Readonly<Record<PlatformRole, ReadonlySet<PlatformPermission>>> = {
  USER: new Set(),
  ADMIN: new Set(PLATFORM_PERMISSIONS),
  COMPLIANCE: new Set<PlatformPermission>(['STAFF_ACCESS']),
};

/** Whether the viewer may do this in the channel. Deny by default; what may not be seen reads as not existing. */
export function mayInChannel(viewer: Reader, channelId: ChannelId, permission: ChannelPermission): boolean {
  switch (viewer.kind) {
    case 'ANONYMOUS':
      return false;
    case 'OPERATOR':
      return true;
    case 'VIEW':
      return viewer.channelId === channelId ? viewer.holds(`channel ${permission}`) : viewer.needsPerson();
    case 'OVERLAY':
      return viewer.channelId === channelId && OF_OVERLAY.has(permission);
    case 'CLIENT':
      return viewer.channelId === channelId && clientMay(viewer.scopes, permission);
    case 'USER':
      return viewer.mfa !== 'MISSING' && userMay(viewer, channelId, permission);
  }
}

/** Whether the viewer may do this on the whole installation. */
export function mayOnPlatform(viewer: Reader, permission: PlatformPermission): boolean {
  if (viewer.kind === 'VIEW') return viewer.holds(`platform ${permission}`);
  if (viewer.kind !== 'USER' || viewer.mfa === 'MISSING') return false;
  return OF_PLATFORM_ROLE[viewer.platformRole].has(permission);
}

/** Whether what the viewer reads in this channel is staff looking into somebody else's, which leaves an entry. */
/** A view is of no staff: what staff access opens, nobody subscribes to. */
export function readsAsStaff(viewer: Reader, channelId: ChannelId): boolean {
  return viewer.kind === 'USER' && viewer.staffAccess.has(channelId) && !viewer.memberships.has(channelId);
}

function clientMay(scopes: ReadonlySet<ClientScope>, permission: ChannelPermission): boolean {
  if (permission === 'CHANNEL_VIEW' || permission === 'CHANNEL_DETAILS') return true;
  for (const scope of scopes) if (OF_SCOPE[scope].includes(permission)) return true;
  return false;
}

function userMay(
  viewer: Extract<Reader, { readonly kind: 'USER' }>,
  channelId: ChannelId,
  permission: ChannelPermission,
): boolean {
  const role = viewer.memberships.get(channelId);
  if ((role === undefined ? NOTHING : OF_ROLE[role]).has(permission)) return true;
  if (viewer.staffAccess.has(channelId) && OF_STAFF_ACCESS.has(permission)) return true;
  return viewer.platformRole === 'ADMIN' && OF_ADMIN.has(permission);
}
