import type { Transaction } from 'kysely';
import {
  countOwnedChannels,
  deleteMembershipsOf,
  lockChannel,
  lockChannelsOfLastOwner,
  selectChannelMember,
} from '../../db/channel-member.ts';
import type { Database } from '../../db/connect.ts';
import { lockAdmins, lockUser, type UserStanding } from '../../db/user-standing.ts';
import { ChannelNotFoundError } from '../../errors/channel-not-found.ts';
import { NotPermittedError } from '../../errors/not-permitted.ts';
import type { ChannelId, UserId } from '../../lib/ids.ts';
import { type ChannelPermission, mayInChannel } from '../permissions.ts';
import type { Viewer } from '../viewer.ts';
import { LastAdminError, LastOwnerError, TooManyChannelsError, UserNotFoundError } from './errors.ts';

// What is locked, in this order everywhere, so that no two changes wait for each other: administrators, then one user, then
// channels by id.

/** How many channels one user owns at most. */
export const CHANNELS_PER_USER_MAX = 10;

/**
 * Refuses when the installation would be without an administrator once the user is none. Locks all administrators until
 * the transaction ends; call it before anything else in it.
 * @throws LastAdminError
 */
export async function requireNotLastAdmin(tx: Transaction<Database>, userId: UserId): Promise<void> {
  const admins = await lockAdmins(tx);
  if (admins.has(userId) && admins.size === 1) throw new LastAdminError();
}

/**
 * Refuses when a channel would be without an owner who can sign in once the user is gone. Locks the user and the channels
 * they own until the transaction ends, so that no other owner goes meanwhile.
 * @throws LastOwnerError
 */
export async function requireNotLastOwner(tx: Transaction<Database>, userId: UserId): Promise<void> {
  await lockUser(tx, userId);
  if ((await lockChannelsOfLastOwner(tx, userId)).length > 0) throw new LastOwnerError();
}

/**
 * Takes an account that goes out of every channel, or refuses because somebody must stay. Call it before anything else in
 * the transaction.
 * @throws LastAdminError, LastOwnerError
 */
export async function leaveEverything(tx: Transaction<Database>, userId: UserId): Promise<void> {
  await requireNotLastAdmin(tx, userId);
  await requireNotLastOwner(tx, userId);
  await deleteMembershipsOf(tx, userId);
}

/**
 * Locks a channel whose team or state is to change, and holds who asks against their role as it is now, not as it was when
 * they were authenticated.
 * @throws ChannelNotFoundError, also for a channel that may not be seen
 * @throws NotPermittedError
 */
export async function lockChannelFor(
  tx: Transaction<Database>,
  viewer: Viewer,
  request: { readonly channelId: ChannelId; readonly permission: ChannelPermission },
): Promise<void> {
  const { channelId, permission } = request;
  const isThere = await lockChannel(tx, channelId);
  const now = viewer.kind === 'USER' ? await withRoleOfNow(tx, viewer, channelId) : viewer;
  if (!isThere || !mayInChannel(now, channelId, 'CHANNEL_VIEW')) throw new ChannelNotFoundError();
  if (!mayInChannel(now, channelId, permission)) throw new NotPermittedError();
}

async function withRoleOfNow(
  tx: Transaction<Database>,
  viewer: Extract<Viewer, { readonly kind: 'USER' }>,
  channelId: ChannelId,
): Promise<Viewer> {
  const member = await selectChannelMember(tx, { channelId, userId: viewer.userId });
  return { ...viewer, memberships: new Map(member === undefined ? [] : [[channelId, member.role]]) };
}

/**
 * Locks the administrators and refuses who is none (any more).
 * @throws NotPermittedError
 */
export async function lockAdminsFor(
  tx: Transaction<Database>,
  viewer: Viewer,
): Promise<{ readonly userId: UserId; readonly admins: ReadonlySet<UserId> }> {
  const admins = await lockAdmins(tx);
  if (viewer.kind !== 'USER' || !admins.has(viewer.userId)) throw new NotPermittedError();
  return { userId: viewer.userId, admins };
}

/**
 * Locks a user who is to be given something.
 * @throws UserNotFoundError
 */
export async function lockKnownUser(tx: Transaction<Database>, userId: UserId): Promise<UserStanding> {
  const user = await lockUser(tx, userId);
  if (user === undefined) throw new UserNotFoundError();
  return user;
}

/**
 * Refuses one channel too many. Needs the user's lock.
 * @throws TooManyChannelsError
 */
export async function requireRoomForChannel(tx: Transaction<Database>, userId: UserId): Promise<void> {
  if ((await countOwnedChannels(tx, userId)) >= CHANNELS_PER_USER_MAX) {
    throw new TooManyChannelsError(CHANNELS_PER_USER_MAX);
  }
}
