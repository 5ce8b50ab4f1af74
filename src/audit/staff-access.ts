import type { Kysely } from 'kysely';
import { notifyAccessChanged } from '../auth/access-topic.ts';
import type { EventBus } from '../bus/port.ts';
import type { Database } from '../db/connect.ts';
import { insertStaffAccess, type StaffAccessRow } from '../db/staff-access.ts';
import { ChannelNotFoundError } from '../errors/channel-not-found.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import type { Clock } from '../lib/clock.ts';
import { type ChannelId, newId, type UserId } from '../lib/ids.ts';
import { sealContext } from '../privacy/context.ts';
import { seal } from '../privacy/envelope.ts';
import { madeKey, type Vault } from '../privacy/vault.ts';

/** How long a reason holds, in milliseconds. */
export const STAFF_ACCESS_MS = 30 * 60_000;
/** Characters of a reason. */
const REASON_MIN = 10;
const REASON_MAX = 500;

/**
 * Lets staff look into a channel for half an hour. The reason is kept sealed under their own key.
 * @throws InvalidInputError when the reason says too little or too much, ChannelNotFoundError
 */
export async function openStaffAccess(
  deps: {
    readonly db: Kysely<Database>;
    readonly vault: Vault;
    readonly bus: EventBus;
    readonly clock: Clock;
  },
  request: { readonly userId: UserId; readonly channelId: ChannelId; readonly reason: string },
): Promise<StaffAccessRow> {
  const { userId, channelId } = request;
  const reason = request.reason.trim();
  if (reason.length < REASON_MIN || reason.length > REASON_MAX) {
    const message = `The reason takes ${REASON_MIN} to ${REASON_MAX} characters.`;
    throw new InvalidInputError([{ path: ['reason'], code: 'OUT_OF_RANGE', message }]);
  }
  const openedAt = deps.clock.nowMs();
  const id = newId('staffAccess', openedAt);
  const key = await madeKey(deps.vault, userId);
  const sealed = seal(key, sealContext.staffAccessReason(id), reason);
  const row = { id, userId, channelId, reason: sealed, openedAt, expiresAt: openedAt + STAFF_ACCESS_MS };
  if (!(await insertStaffAccess(deps.db, row))) throw new ChannelNotFoundError();
  await notifyAccessChanged(deps.bus, userId);
  return row;
}
