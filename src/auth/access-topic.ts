import type { EventBus } from '../bus/port.ts';
import type { UserId } from '../lib/ids.ts';

/**
 * The bus topic on which is told that somebody may do something else than before. The payload is the user's id, or empty
 * when it may concern anybody. Every process then forgets what it knew of them and looks at its open connections.
 */
export const ACCESS_TOPIC = 'access';

/** Tells every process, to be called after the commit. */
export function notifyAccessChanged(bus: EventBus, userId: UserId | null): Promise<void> {
  return bus.notify(ACCESS_TOPIC, userId ?? '');
}
