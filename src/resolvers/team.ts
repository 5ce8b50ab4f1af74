import type { Account } from '../auth/accounts/account.ts';
import { emailHash } from '../auth/accounts/email-address.ts';
import {
  listInvitations,
  listMemberships,
  listTeam,
  listUsers,
  type OpenInvitation,
  type TeamMember,
  type UserAccount,
} from '../auth/members/lists.ts';
import { mayInChannel } from '../auth/permissions.ts';
import type { PlatformRole } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import type { ChannelMemberRow } from '../db/channel-member.ts';
import { assert } from '../lib/assert.ts';
import type { ChannelId } from '../lib/ids.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';

export async function channelTeam(
  { id: channelId }: ChannelRow,
  args: PageArguments,
  { services }: AppContext,
): Promise<Connection<TeamMember>> {
  const request = pageRequest(args);
  return connectionOf(await listTeam(services, { ...request, channelId }), request, ({ userId }) => userId);
}

export async function channelInvitations(
  { id: channelId }: ChannelRow,
  args: PageArguments,
  { services }: AppContext,
): Promise<Connection<OpenInvitation>> {
  const request = pageRequest(args);
  return connectionOf(await listInvitations(services, { ...request, channelId }), request, ({ id }) => id);
}

export async function userMemberships(
  { id: userId }: Account,
  args: PageArguments,
  { services }: AppContext,
): Promise<Connection<ChannelMemberRow>> {
  const request = pageRequest(args);
  const page = await listMemberships(services, { ...request, userId });
  return connectionOf(page, request, ({ channelId }) => channelId);
}

export async function channelOf(
  { channelId }: { readonly channelId: ChannelId },
  _args: object,
  { loaders }: AppContext,
): Promise<ChannelRow> {
  const channel = await loaders.channels.load(channelId);
  assert(channel !== null, 'a membership goes with its channel');
  return channel;
}

/** What a filter of users asks for. */
export interface UserFilterInput {
  readonly role?: PlatformRole | null | undefined;
  readonly disabled?: boolean | null | undefined;
  readonly email?: string | null | undefined;
}

export async function queryUsers(
  _root: unknown,
  args: PageArguments & { readonly filter?: UserFilterInput | null | undefined },
  { services }: AppContext,
): Promise<Connection<UserAccount>> {
  const request = pageRequest(args);
  const email = args.filter?.email ?? null;
  const filter = {
    platformRole: args.filter?.role ?? null,
    disabled: args.filter?.disabled ?? null,
    emailHash: email === null ? null : emailHash(services.masterKey, email),
  };
  return connectionOf(await listUsers(services, { ...request, filter }), request, ({ id }) => id);
}

/** What a client draws as buttons, each asked of the same table as the fields behind them. */
export function viewerCan(permission: Parameters<typeof mayInChannel>[2]) {
  return ({ id }: ChannelRow, _args: object, { reader }: AppContext): boolean =>
    mayInChannel(reader, id, permission);
}
