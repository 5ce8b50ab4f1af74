import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import { claimConnection } from '../../db/channel-connection.ts';
import type { Database } from '../../db/connect.ts';
import { selectAbandonedChannels, takeOverRoom } from '../../db/room-take-over.ts';
import type { Provider } from '../../events/unified-event.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { lastArrival } from '../normalise/normaliser-state.ts';
import { roomLeaseName } from './room-lease.ts';

interface TakeOverDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/** Abandoned channels put in order at one start. */
const ABANDONED_MAX = 1_000;
/** A term in which one channel's rows are surely written, in milliseconds. */
const LEASE_MS = 10_000;

/** Puts in order what a worker that died in this room left. For who holds the room's lease. @see takeOverRoom */
export async function takeOver(
  { db, bus, clock }: TakeOverDeps,
  room: { readonly channelId: ChannelId; readonly provider: Provider },
): Promise<void> {
  const lastSeen = lastArrival(await bus.readState(room.channelId));
  await takeOverRoom(db, { ...room, lastSeen, takenAt: clock.nowMs() });
}

/**
 * The same for channels that nobody wants connected any more, so that no worker will ever take their rooms. A channel whose lease
 * is held is its worker's business.
 */
export async function tidyAbandonedChannels(
  deps: TakeOverDeps & { readonly logger: Logger },
  { ownerId, provider }: { readonly ownerId: string; readonly provider: Provider },
): Promise<void> {
  const { db, bus, clock, logger } = deps;
  // Not the worker's own name, under which it could take the room at the same time.
  const tidierId = `${ownerId}-tidying`;
  for (const channelId of await selectAbandonedChannels(db, { provider, limit: ABANDONED_MAX })) {
    const lease = await bus.acquireLease({
      name: roomLeaseName(channelId),
      ownerId: tidierId,
      ttlMs: LEASE_MS,
    });
    if (lease === null) continue;
    await takeOver(deps, { channelId, provider });
    const now = clock.nowMs();
    const stopped = { state: 'STOPPED', reason: null, since: now, retryAt: null, attempt: 0 } as const;
    await claimConnection(db, { ...stopped, channelId, epoch: lease.epoch, updatedAt: now });
    await lease.release();
    logger.info({ channelId }, 'ingest.abandoned_channel_stopped');
  }
}
