import { type Kysely, sql } from 'kysely';
import type { Provider } from '../events/unified-event.ts';
import { int8Array, textArray, timestamptzArray } from './binary-array.ts';
import type { Database } from './connect.ts';

/** A gift as an event showed it. */
export interface SeenGift {
  readonly provider: Provider;
  readonly giftId: string;
  readonly name: string;
  /** Price in coins. */
  readonly diamondCount: number;
  readonly imageUrl: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly seenAt: number;
}

/** Learns gifts: the latest look wins, by when it was seen. Each (provider, gift id) at most once per call. */
export async function upsertGifts(db: Kysely<Database>, gifts: readonly SeenGift[]): Promise<void> {
  await sql`
    /* upsertGifts */
    insert into gift_catalogue as g (provider, gift_id, name, diamond_count, image_url, first_seen_at, last_seen_at)
    select provider, gift_id, name, diamond_count, image_url, seen_at, seen_at from unnest(
      ${textArray(gifts.map((gift) => gift.provider))}::text[],
      ${textArray(gifts.map((gift) => gift.giftId))}::text[],
      ${textArray(gifts.map((gift) => gift.name))}::text[],
      ${int8Array(gifts.map((gift) => gift.diamondCount))}::int8[],
      ${textArray(gifts.map((gift) => gift.imageUrl))}::text[],
      ${timestamptzArray(gifts.map((gift) => gift.seenAt))}::timestamptz[]
    ) as n (provider, gift_id, name, diamond_count, image_url, seen_at)
    order by provider, gift_id
    on conflict (provider, gift_id) do update set
      name = excluded.name,
      diamond_count = excluded.diamond_count,
      image_url = coalesce(excluded.image_url, g.image_url),
      first_seen_at = least(g.first_seen_at, excluded.first_seen_at),
      last_seen_at = excluded.last_seen_at
    where excluded.last_seen_at >= g.last_seen_at`.execute(db);
}
