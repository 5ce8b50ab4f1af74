import type { Kysely, Transaction } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import {
  type ChannelMemberRow,
  countOwners,
  deleteChannelMember,
  selectChannelMember,
  upsertChannelMember,
} from '../../db/channel-member.ts';
import type { Database } from '../../db/connect.ts';
import { NotPermittedError } from '../../errors/not-permitted.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId, UserId } from '../../lib/ids.ts';
import type { MasterKey } from '../../privacy/master-key.ts';
import { notifyAccessChanged } from '../access-topic.ts';
import { CHANNEL_ROLES, type ChannelRole, type Viewer } from '../viewer.ts';
import {
  ChannelHasOwnerError,
  EmailUnverifiedError,
  LastOwnerError,
  OwnRoleError,
  TeamMemberNotFoundError,
  UserNotFoundError,
} from './errors.ts';
import { lockAdminsFor, lockChannelFor, lockKnownUser, requireRoomForChannel } from './guards.ts';
import { endSecretsOf, NO_SECRETS, type SecretsEnded } from './owner-secrets.ts';

export interface TeamDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly masterKey: MasterKey;
}

/** A member of a channel's team. */
export interface TeamKey {
  readonly channelId: ChannelId;
  readonly userId: UserId;
}

/** Whether `a` is a more powerful role than `b`. */
export function isAbove(a: ChannelRole, b: ChannelRole): boolean {
  return CHANNEL_ROLES.indexOf(a) < CHANNEL_ROLES.indexOf(b);
}

/**
 * Gives a member another role. Nobody raises themselves, and the last owner stays one. What somebody who is no owner any more
 * opened the channel with ends.
 * @throws ChannelNotFoundError, NotPermittedError, TeamMemberNotFoundError, OwnRoleError, LastOwnerError,
 *   TooManyChannelsError, EmailUnverifiedError
 */
export async function setMemberRole(
  deps: TeamDeps,
  viewer: Viewer,
  request: TeamKey & { readonly role: ChannelRole },
): Promise<SecretsEnded> {
  const { channelId, userId, role } = request;
  const ended = await deps.db.transaction().execute(async (tx) => {
    const user = await lockMember(tx, viewer, request);
    await lockChannelFor(tx, viewer, { channelId, permission: 'MEMBERS_MANAGE' });
    const current = await requireMember(tx, request);
    if (viewer.kind === 'USER' && viewer.userId === userId && isAbove(role, current.role)) {
      throw new OwnRoleError();
    }
    if (current.role === 'OWNER' && role !== 'OWNER') await requireOtherOwner(tx, request);
    if (role === 'OWNER' && current.role !== 'OWNER') {
      if (!user.emailVerified) throw new EmailUnverifiedError();
      await requireRoomForChannel(tx, userId);
    }
    await upsertChannelMember(tx, { ...current, role });
    return current.role === 'OWNER' && role !== 'OWNER' ? endSecretsOf(deps, tx, request) : NO_SECRETS;
  });
  await tell(deps, userId, ended);
  return ended;
}

/**
 * Takes a member out of the team. What an owner opened the channel with ends.
 * @throws ChannelNotFoundError, NotPermittedError, TeamMemberNotFoundError, LastOwnerError
 */
export async function removeMember(deps: TeamDeps, viewer: Viewer, request: TeamKey): Promise<SecretsEnded> {
  const ended = await deps.db.transaction().execute(async (tx) => {
    await lockChannelFor(tx, viewer, { channelId: request.channelId, permission: 'MEMBERS_MANAGE' });
    return removeLocked(deps, tx, request);
  });
  await tell(deps, request.userId, ended);
  return ended;
}

/**
 * Leaves the team, which every member may. What an owner opened the channel with ends.
 * @throws ChannelNotFoundError, NotPermittedError for who is no user, LastOwnerError
 */
export async function leaveChannel(
  deps: TeamDeps,
  viewer: Viewer,
  channelId: ChannelId,
): Promise<SecretsEnded> {
  if (viewer.kind !== 'USER') throw new NotPermittedError();
  const { userId } = viewer;
  const ended = await deps.db.transaction().execute(async (tx) => {
    await lockChannelFor(tx, viewer, { channelId, permission: 'CHANNEL_VIEW' });
    return removeLocked(deps, tx, { channelId, userId });
  });
  await tell(deps, userId, ended);
  return ended;
}

/**
 * Makes a member the owner and who asks a moderator, both or neither. What they opened the channel with as its owner ends.
 * @throws ChannelNotFoundError, NotPermittedError for who is not its owner (any more), OwnRoleError for who passes it to
 *   themselves, TeamMemberNotFoundError, EmailUnverifiedError, TooManyChannelsError
 */
export async function transferOwnership(
  deps: TeamDeps,
  viewer: Viewer,
  request: TeamKey,
): Promise<SecretsEnded> {
  const { channelId, userId } = request;
  if (viewer.kind !== 'USER') throw new NotPermittedError();
  if (viewer.userId === userId) throw new OwnRoleError();
  const ended = await deps.db.transaction().execute(async (tx) => {
    const user = await lockMember(tx, viewer, request);
    await lockChannelFor(tx, viewer, { channelId, permission: 'MEMBERS_MANAGE' });
    const self = await requireMember(tx, { channelId, userId: viewer.userId });
    const heir = await requireMember(tx, request);
    if (!user.emailVerified) throw new EmailUnverifiedError();
    if (heir.role !== 'OWNER') await requireRoomForChannel(tx, userId);
    await upsertChannelMember(tx, { ...heir, role: 'OWNER' });
    await upsertChannelMember(tx, { ...self, role: 'MODERATOR' });
    return endSecretsOf(deps, tx, { channelId, userId: viewer.userId });
  });
  await notifyAccessChanged(deps.bus, null);
  return ended;
}

/**
 * Gives a channel that has no owner at all its first one; for administrators, and never for themselves.
 * @throws NotPermittedError, OwnRoleError, UserNotFoundError, ChannelNotFoundError, ChannelHasOwnerError,
 *   EmailUnverifiedError, TooManyChannelsError
 */
export async function assignOwner(deps: TeamDeps, viewer: Viewer, request: TeamKey): Promise<void> {
  const { channelId, userId } = request;
  await deps.db.transaction().execute(async (tx) => {
    const admin = await lockAdminsFor(tx, viewer);
    if (admin.userId === userId) throw new OwnRoleError();
    const user = await lockKnownUser(tx, userId);
    if (user.disabled) throw new UserNotFoundError();
    if (!user.emailVerified) throw new EmailUnverifiedError();
    await lockChannelFor(tx, viewer, { channelId, permission: 'CHANNEL_VIEW' });
    if ((await countOwners(tx, channelId)).all > 0) throw new ChannelHasOwnerError();
    await requireRoomForChannel(tx, userId);
    await upsertChannelMember(tx, { channelId, userId, role: 'OWNER', since: deps.clock.nowMs() });
  });
  await notifyAccessChanged(deps.bus, userId);
}

/** Locks the member's account, which is to be given something. Who is disabled or gone reads as no member. */
async function lockMember(tx: Transaction<Database>, viewer: Viewer, key: TeamKey) {
  // Before the channel, whose lock comes later; so who may not see the channel must not learn anything from it.
  const user = await lockKnownUser(tx, key.userId).catch((error: unknown) => {
    if (error instanceof UserNotFoundError) return undefined;
    throw error;
  });
  if (user !== undefined && !user.disabled) return user;
  await lockChannelFor(tx, viewer, { channelId: key.channelId, permission: 'MEMBERS_MANAGE' });
  throw new TeamMemberNotFoundError();
}

async function requireMember(tx: Transaction<Database>, key: TeamKey): Promise<ChannelMemberRow> {
  const member = await selectChannelMember(tx, key);
  if (member === undefined) throw new TeamMemberNotFoundError();
  return member;
}

async function removeLocked(deps: TeamDeps, tx: Transaction<Database>, key: TeamKey): Promise<SecretsEnded> {
  const member = await requireMember(tx, key);
  if (member.role === 'OWNER') await requireOtherOwner(tx, key);
  await deleteChannelMember(tx, key);
  return member.role === 'OWNER' ? endSecretsOf(deps, tx, key) : NO_SECRETS;
}

/** Tells whose access has changed: anybody's who came with a key that ended. */
function tell({ bus }: TeamDeps, userId: UserId, ended: SecretsEnded): Promise<void> {
  return notifyAccessChanged(bus, ended === NO_SECRETS ? userId : null);
}

async function requireOtherOwner(tx: Transaction<Database>, key: TeamKey): Promise<void> {
  const others = await countOwners(tx, key.channelId, { except: key.userId });
  if (others.active === 0) throw new LastOwnerError();
}
