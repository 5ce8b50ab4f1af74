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
import type { SecretsEnded } from '../auth/members/owner-secrets.ts';
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
/** What ended with somebody's being an owner. */
export interface EndedPayload {
  readonly secretsEnded: readonly SecretsEnded[];
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
): Promise<(MemberPayload & EndedPayload) | Refused<RoleRefusal>> {
  return orRefusal<MemberPayload & EndedPayload, RoleRefusal>(async () => {
    const key = teamKey(input);
    const secretsEnded = [await setMemberRole(services, viewer, { ...key, role: input.role })];
    return { member: await findTeamMember(services, key), secretsEnded };
  }, ROLE_REFUSALS);
}

export function channelMemberRemove(
  _root: unknown,
  { input }: { readonly input: TeamInput },
  { viewer, services }: AppContext,
): Promise<(TeamKey & EndedPayload) | Refused<RoleRefusal>> {
  return orRefusal<TeamKey & EndedPayload, RoleRefusal>(async () => {
    const key = teamKey(input);
    return { ...key, secretsEnded: [await removeMember(services, viewer, key)] };
  }, ROLE_REFUSALS);
}

interface LeavePayload extends EndedPayload {
  readonly channelId: ChannelId;
}

export function channelLeave(
  _root: unknown,
  { input }: { readonly input: { readonly channelId: string } },
  { viewer, services }: AppContext,
): Promise<LeavePayload | Refused<RoleRefusal>> {
  return orRefusal<LeavePayload, RoleRefusal>(async () => {
    const channelId = parsedChannelId(input.channelId);
    return { channelId, secretsEnded: [await leaveChannel(services, viewer, channelId)] };
  }, ROLE_REFUSALS);
}

export function channelOwnershipTransfer(
  _root: unknown,
  { input }: { readonly input: TeamInput },
  { viewer, services }: AppContext,
): Promise<(MemberPayload & EndedPayload) | Refused<RoleRefusal>> {
  return orRefusal<MemberPayload & EndedPayload, RoleRefusal>(async () => {
    const key = teamKey(input);
    const secretsEnded = [await transferOwnership(services, viewer, key)];
    return { member: await findTeamMember(services, key), secretsEnded };
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

/** Whether the channel's overlay has another URL since. */
export function overlayUrlChanged({ secretsEnded }: EndedPayload): boolean {
  return secretsEnded.some(({ overlayKeyReplacedOf }) => overlayKeyReplacedOf !== null);
}

/** How many keys of clients opened nothing any more. */
export function clientKeysRevoked({ secretsEnded }: EndedPayload): number {
  return secretsEnded.reduce((sum, ended) => sum + ended.clientKeysRevoked, 0);
}

/** @throws ChannelNotFoundError, TeamMemberNotFoundError when a text is no id */
function teamKey(input: TeamInput): TeamKey {
  const channelId = parsedChannelId(input.channelId);
  const userId = parseId('user', input.userId);
  if (userId === undefined) throw new TeamMemberNotFoundError();
  return { channelId, userId };
}
