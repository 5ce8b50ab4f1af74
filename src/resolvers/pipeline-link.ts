import { mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { PipelineLink } from '../health/pipeline-link.ts';
import { parseId } from '../lib/ids.ts';

export async function queryPipelineHealth(
  _root: unknown,
  args: { readonly channelId: string },
  ctx: AppContext,
): Promise<readonly PipelineLink[] | null> {
  const id = parseId('channel', args.channelId);
  if (id === undefined || !mayInChannel(ctx.viewer, id, 'OVERLAY_VIEW')) return null;
  if ((await ctx.loaders.channels.load(id)) === null) return null;
  return ctx.services.health.inspect(id);
}
