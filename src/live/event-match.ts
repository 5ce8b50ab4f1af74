import type { EventType, UnifiedEvent } from '../events/unified-event.ts';

/** Which live events a subscriber wants. */
export interface EventWish {
  /** Null: every type. */
  readonly types: ReadonlySet<EventType> | null;
  /** Types left out whatever `types` says: what the subscriber may not have. */
  readonly withheld: ReadonlySet<EventType>;
  /** Gifts whose streak has come to less are left out; other types are not concerned. Coins. */
  readonly coinsMin: number | null;
  /** Events of this person alone, by the provider's user id. */
  readonly userId: string | null;
}

/** Whether the event is wanted. */
export function matchesWish(wish: EventWish, event: UnifiedEvent): boolean {
  if (wish.withheld.has(event.eventType)) return false;
  if (wish.types !== null && !wish.types.has(event.eventType)) return false;
  if (wish.coinsMin !== null && event.eventType === 'GIFT' && event.payload.streakCoins < wish.coinsMin)
    return false;
  return wish.userId === null || event.user?.userId === wish.userId;
}
