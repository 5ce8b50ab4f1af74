import { type Kysely, sql } from 'kysely';
import type { Database } from './connect.ts';

/**
 * Makes the event partitions of `days` days (UTC) from the day of `from` (milliseconds since the Unix epoch) on, where they
 * are missing. Returns the days that were, as `YYYY-MM-DD`.
 */
export async function createEventPartitions(
  db: Kysely<Database>,
  range: { readonly from: number; readonly days: number },
): Promise<readonly string[]> {
  const result = await sql<{ day: string }>`
    /* createEventPartitions */
    select to_char(day, 'YYYY-MM-DD') as day from (
      select ((to_timestamp(${range.from}::float8 / 1000) at time zone 'UTC')::date + number) as day
      from generate_series(0, ${range.days}::integer - 1) as number
    ) as wanted
    where ensure_event_partition(day)
  `.execute(db);
  return result.rows.map((row) => row.day);
}
