import type { SeenGift } from '../../db/gift-catalogue.ts';
import type { UnifiedEvent } from '../unified-event.ts';

/** Gifts remembered at most; the provider has some thousands. */
const GIFTS_MAX = 5_000;
/** `last_seen_at` of a gift that has not changed is written at most this often, in milliseconds. */
const TOUCH_INTERVAL_MS = 60 * 60 * 1000;

/** Remembers which gifts the catalogue already has, so that it is written only when there is something to learn. */
export class GiftMemory {
  /** By provider and gift, in order of learning. */
  readonly #remembered = new Map<string, SeenGift>();

  /** The gifts in these events that are new, changed, or long not seen; each once, as seen last. Replays teach nothing. */
  news(events: readonly UnifiedEvent[]): readonly SeenGift[] {
    const latest = new Map<string, SeenGift>();
    for (const event of events) {
      if (event.eventType !== 'GIFT' || event.source !== 'LIVE') continue;
      const { giftId, giftName, diamondCount, giftImageUrl } = event.payload;
      latest.set(placeOf(event.provider, giftId), {
        provider: event.provider,
        giftId,
        name: giftName,
        diamondCount,
        imageUrl: giftImageUrl,
        seenAt: event.timestamp,
      });
    }
    return [...latest].flatMap(([place, gift]) => (this.#isNews(place, gift) ? gift : []));
  }

  /** To be called once the gifts are committed to the catalogue. */
  remember(gifts: readonly SeenGift[]): void {
    for (const gift of gifts) {
      const place = placeOf(gift.provider, gift.giftId);
      this.#remembered.delete(place);
      this.#remembered.set(place, gift);
    }
    for (const place of this.#remembered.keys()) {
      if (this.#remembered.size <= GIFTS_MAX) break;
      this.#remembered.delete(place);
    }
  }

  #isNews(place: string, gift: SeenGift): boolean {
    const known = this.#remembered.get(place);
    if (known === undefined) return true;
    if (known.name !== gift.name || known.diamondCount !== gift.diamondCount) return true;
    // Addresses of images differ by the host that serves them: their time is refreshed, their change alone is no news.
    return gift.seenAt - known.seenAt >= TOUCH_INTERVAL_MS;
  }
}

function placeOf(provider: string, giftId: string): string {
  return `${provider} ${giftId}`;
}
