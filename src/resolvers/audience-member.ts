import type { AppContext } from '../context.ts';
import type { ChannelRow } from '../db/channel.ts';
import { assert } from '../lib/assert.ts';
import { type AudienceMember, encodeHandleCursor, listHandles, type SeenHandle } from '../live/audience.ts';
import { type Connection, connectionOf, type PageArguments, pageRequest } from './connection.ts';
import { mayReadPersonal } from './redaction.ts';

export function memberAlias(member: AudienceMember, _args: object, { services }: AppContext): string {
  return services.vault.alias({ channelId: member.channelId, userId: member.user.userId });
}

export async function memberChannel(
  member: AudienceMember,
  _args: object,
  ctx: AppContext,
): Promise<ChannelRow> {
  const channel = await ctx.loaders.channels.load(member.channelId);
  assert(channel !== null, 'a member has their channel'); // foreign key
  return channel;
}

export async function memberHandles(
  member: AudienceMember,
  args: PageArguments,
  ctx: AppContext,
): Promise<Connection<SeenHandle>> {
  const request = pageRequest(args);
  if (!(await mayReadPersonal(ctx, member.channelId, 'PII_READ'))) {
    return connectionOf<SeenHandle>({ items: [], hasMore: false }, request, encodeHandleCursor);
  }
  const page = await listHandles(ctx.services, { ...request, memberId: member.id });
  return connectionOf(page, request, encodeHandleCursor);
}
