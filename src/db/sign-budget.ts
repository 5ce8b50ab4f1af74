import { type Kysely, sql } from 'kysely';
import type { Database } from './connect.ts';

/** A key's bucket. */
export interface SignBucket {
  /** sha256 of the sign key: the key itself is not stored here. */
  readonly keyHash: Buffer;
  /** Tokens at most. */
  readonly capacity: number;
  readonly tokensPerSecond: number;
}

/** What a request for a token came to: taken, or how long until one can be. */
export type TokenOutcome =
  | { readonly kind: 'TAKEN' }
  | { readonly kind: 'WAIT'; readonly waitMs: number; readonly blocked: boolean };

/**
 * Takes one token, in one statement: refills by the time passed (of the database's clock, which all workers share), and
 * takes only when a whole token is there and no block is in force. Two workers can never take the same token: the row is
 * locked by the update, and the second one computes from what the first one left.
 */
export async function takeSignToken(db: Kysely<Database>, bucket: SignBucket): Promise<TokenOutcome> {
  const { keyHash, capacity, tokensPerSecond } = bucket;
  const refilled = sql`least(${capacity}::float8, b.tokens
    + greatest(extract(epoch from clock_timestamp() - b.refilled_at)::float8, 0) * ${tokensPerSecond}::float8)`;
  const taken = await sql`
    /* takeSignToken */
    insert into sign_budget as b (key_hash, tokens, refilled_at)
    values (${keyHash}, ${capacity}::float8 - 1, clock_timestamp())
    on conflict (key_hash) do update
      set tokens = ${refilled} - 1, refilled_at = greatest(b.refilled_at, clock_timestamp())
      where ${refilled} >= 1 and (b.blocked_until is null or b.blocked_until <= clock_timestamp())
  `.execute(db);
  if (taken.numAffectedRows === 1n) return { kind: 'TAKEN' };
  return selectWait(db, bucket);
}

/** How long until a token can be taken. Only told to the caller, who asks again: nothing hangs on its being exact. */
async function selectWait(db: Kysely<Database>, bucket: SignBucket): Promise<TokenOutcome> {
  const { keyHash, tokensPerSecond } = bucket;
  const result = await sql<{ refill_ms: number; blocked_ms: number }>`
    /* selectSignWait */
    select
      greatest((1 - tokens) / ${tokensPerSecond}::float8
        - extract(epoch from clock_timestamp() - refilled_at)::float8, 0) * 1000 as refill_ms,
      greatest(coalesce(extract(epoch from blocked_until - clock_timestamp())::float8, 0), 0) * 1000 as blocked_ms
    from sign_budget where key_hash = ${keyHash}
  `.execute(db);
  const row = result.rows[0] ?? { refill_ms: 0, blocked_ms: 0 };
  const waitMs = Math.ceil(Math.max(row.refill_ms, row.blocked_ms));
  return { kind: 'WAIT', waitMs, blocked: row.blocked_ms > 0 };
}

/** Blocks the key until `untilMs` (milliseconds since the epoch), for all workers. Never shortens a block. */
export async function blockSignKey(
  db: Kysely<Database>,
  block: { readonly bucket: SignBucket; readonly untilMs: number },
): Promise<void> {
  const { keyHash, capacity } = block.bucket;
  const until = sql`to_timestamp(${block.untilMs}::float8 / 1000)`;
  await sql`
    /* blockSignKey */
    insert into sign_budget as b (key_hash, tokens, refilled_at, blocked_until)
    values (${keyHash}, ${capacity}::float8, clock_timestamp(), ${until})
    on conflict (key_hash) do update set blocked_until = greatest(b.blocked_until, excluded.blocked_until)
  `.execute(db);
}
