import {
  ChannelHasOwnerError,
  EmailUnverifiedError,
  LastOwnerError,
  OwnRoleError,
  TeamMemberNotFoundError,
  TooManyChannelsError,
  UserNotFoundError,
} from '../auth/members/errors.ts';
import { findTeamMember, type TeamMember } from '../auth/members/lists.ts';
import {
  assignOwner,
  leaveChannel,
  removeMember,
  setMemberRole,
  type TeamKey,
  transferOwnership,
} from '../auth/members/team.ts';
import type { ChannelRole } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import { type ChannelId, parseId } from '../lib/ids.ts';
import { parsedChannelId } from './channel-mutation.ts';
import { orRefusal, type Refused } from './refusal.ts';

/** A member of a team after a change. */
export interface MemberPayload {
  readonly member: TeamMember;
}
/** Whom a change of a team concerns, as typed. */
export interface TeamInput {
  readonly channelId: string;
  readonly userId: string;
}

const ROLE_REFUSALS = [
  ChannelNotFoundError,
  NotPermittedError,
  TeamMemberNotFoundError,
  OwnRoleError,
  LastOwnerError,
  TooManyChannelsError,
  EmailUnverifiedError,
] as const;
type RoleRefusal = InstanceType<(typeof ROLE_REFUSALS)[number]>;

export function channelMemberRoleSet(
  _root: unknown,
  { input }: { readonly input: TeamInput & { readonly role: ChannelRole } },
  { viewer, services }: AppContext,
): Promise<MemberPayload | Refused<RoleRefusal>> {
  return orRefusal<MemberPayload, RoleRefusal>(async () => {
    const key = teamKey(input);
    await setMemberRole(services, viewer, { ...key, role: input.role });
    return { member: await findTeamMember(services, key) };
  }, ROLE_REFUSALS);
}

export function channelMemberRemove(
  _root: unknown,
  { input }: { readonly input: TeamInput },
  { viewer, services }: AppContext,
): Promise<TeamKey | Refused<RoleRefusal>> {
  return orRefusal<TeamKey, RoleRefusal>(async () => {
    const key = teamKey(input);
    await removeMember(services, viewer, key);
    return key;
  }, ROLE_REFUSALS);
}

export function channelLeave(
  _root: unknown,
  { input }: { readonly input: { readonly channelId: string } },
  { viewer, services }: AppContext,
): Promise<{ readonly channelId: ChannelId } | Refused<RoleRefusal>> {
  return orRefusal<{ readonly channelId: ChannelId }, RoleRefusal>(async () => {
    const channelId = parsedChannelId(input.channelId);
    await leaveChannel(services, viewer, channelId);
    return { channelId };
  }, ROLE_REFUSALS);
}

export function channelOwnershipTransfer(
  _root: unknown,
  { input }: { readonly input: TeamInput },
  { viewer, services }: AppContext,
): Promise<MemberPayload | Refused<RoleRefusal>> {
  return orRefusal<MemberPayload, RoleRefusal>(async () => {
    const key = teamKey(input);
    await transferOwnership(services, viewer, key);
    return { member: await findTeamMember(services, key) };
  }, ROLE_REFUSALS);
}

const ASSIGN_REFUSALS = [
  ChannelNotFoundError,
  NotPermittedError,
  OwnRoleError,
  UserNotFoundError,
  ChannelHasOwnerError,
  EmailUnverifiedError,
  TooManyChannelsError,
] as const;
type AssignRefusal = InstanceType<(typeof ASSIGN_REFUSALS)[number]>;

export function channelOwnerAssign(
  _root: unknown,
  { input }: { readonly input: TeamInput },
  { viewer, services }: AppContext,
): Promise<MemberPayload | Refused<AssignRefusal>> {
  return orRefusal<MemberPayload, AssignRefusal>(async () => {
    const channelId = parsedChannelId(input.channelId);
    const userId = parseId('user', input.userId);
    if (userId === undefined) throw new UserNotFoundError();
    await assignOwner(services, viewer, { channelId, userId });
    return { member: await findTeamMember(services, { channelId, userId }) };
  }, ASSIGN_REFUSALS);
}

/** @throws ChannelNotFoundError, TeamMemberNotFoundError when a text is no id */
function teamKey(input: TeamInput): TeamKey {
  const channelId = parsedChannelId(input.channelId);
  const userId = parseId('user', input.userId);
  if (userId === undefined) throw new TeamMemberNotFoundError();
  return { channelId, userId };
}
