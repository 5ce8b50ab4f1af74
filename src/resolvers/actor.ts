import { mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { EventUser, Provider } from '../events/unified-event.ts';
import type { ChannelId, MemberId } from '../lib/ids.ts';
import type { AudienceMember } from '../live/audience.ts';

/** Who did something, with what leads to the member behind. */
export interface EventActor {
  readonly alias: string;
  readonly user: EventUser;
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** Undefined for a live event, which does not know it. */
  readonly memberId: MemberId | undefined;
}

export async function actorMember(
  actor: EventActor,
  _args: object,
  ctx: AppContext,
): Promise<AudienceMember | null> {
  if (!mayInChannel(ctx.reader, actor.channelId, 'HISTORY_READ')) return null;
  if (actor.memberId !== undefined) return ctx.loaders.members.load(actor.memberId);
  const { channelId, provider, user } = actor;
  return ctx.loaders.membersByUser.load({ channelId, provider, userId: user.userId });
}
