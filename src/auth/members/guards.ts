import type { Transaction } from 'kysely';
import {
  anyOwnedByNobodyElse,
  countOwnedChannels,
  deleteMembershipsOf,
  lockChannel,
  lockOwnedChannels,
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
import { endSecretsOf, type OwnerSecretsDeps, type SecretsEnded } from './owner-secrets.ts';

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
 * Takes an account that goes out of every channel, or refuses because somebody must stay. Locks the user and the channels they
 * own until the transaction ends, so that no other owner goes meanwhile. Call it before anything else in the transaction. What
 * they opened the channels with ends: to be told to everybody after the commit.
 * @throws LastAdminError, LastOwnerError
 */
export async function leaveEverything(
  deps: OwnerSecretsDeps,
  tx: Transaction<Database>,
  userId: UserId,
): Promise<readonly SecretsEnded[]> {
  await requireNotLastAdmin(tx, userId);
  await lockUser(tx, userId);
  const owned = await lockOwnedChannels(tx, userId);
  if (await anyOwnedByNobodyElse(tx, { channelIds: owned, userId })) throw new LastOwnerError();
  await deleteMembershipsOf(tx, userId);
  return endSecretsInAll(deps, tx, { channelIds: owned, userId });
}

/** Ends what somebody who is kept out opened their channels with. Needs the user's lock; call it before other channels are locked. */
export async function endAllSecretsOf(
  deps: OwnerSecretsDeps,
  tx: Transaction<Database>,
  userId: UserId,
): Promise<readonly SecretsEnded[]> {
  return endSecretsInAll(deps, tx, { channelIds: await lockOwnedChannels(tx, userId), userId });
}

async function endSecretsInAll(
  deps: OwnerSecretsDeps,
  tx: Transaction<Database>,
  { channelIds, userId }: { readonly channelIds: readonly ChannelId[]; readonly userId: UserId },
): Promise<readonly SecretsEnded[]> {
  const ended: SecretsEnded[] = [];
  for (const channelId of channelIds) ended.push(await endSecretsOf(deps, tx, { channelId, userId }));
  return ended;
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
