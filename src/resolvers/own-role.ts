import type { ChannelRole } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';

/** Lets the rest of this operation see that who asks has come into a channel by it. */
export function nowInChannel(ctx: AppContext, channelId: ChannelId, role: ChannelRole): void {
  if (ctx.viewer.kind !== 'USER') return;
  const memberships = new Map([...ctx.viewer.memberships, [channelId, role] as const]);
  ctx.viewer = { ...ctx.viewer, memberships };
  ctx.reader = ctx.viewer;
}
