import { type Kysely, sql } from 'kysely';
import { type ClientId, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

/** How often something was used on a day. `key` is an operation's hash, or a deprecated `Type.field`. */
export interface UsageCount {
  readonly clientId: ClientId;
  readonly key: string;
  /** UTC, as in `2026-11-25`. */
  readonly day: string;
  readonly count: number;
}

function listsOf(counts: readonly UsageCount[]) {
  // In one order, so that two processes that write at once do not deadlock.
  const sorted = counts.toSorted((a, b) =>
    `${a.clientId} ${a.key} ${a.day}` < `${b.clientId} ${b.key} ${b.day}` ? -1 : 1,
  );
  return {
    clients: sorted.map(({ clientId }) => uuidFromId(clientId)),
    keys: sorted.map(({ key }) => key),
    days: sorted.map(({ day }) => day),
    counts: sorted.map(({ count }) => count),
  };
}

/** Adds runs of operations. Clients that are gone are left out. */
export async function addOperationUsage(db: Kysely<Database>, usage: readonly UsageCount[]): Promise<void> {
  const { clients, keys, days, counts } = listsOf(usage);
  await sql`
    /* addOperationUsage */
    insert into client_operation_usage (client_id, operation_hash, day, runs)
    select used.client_id, decode(used.hash, 'hex'), used.day, used.runs
    from unnest(${clients}::uuid[], ${keys}::text[], ${days}::date[], ${counts}::bigint[]) as used (client_id, hash, day, runs)
    join client on client.id = used.client_id
    order by used.client_id, used.hash, used.day
    on conflict (client_id, operation_hash, day) do update set runs = client_operation_usage.runs + excluded.runs
  `.execute(db);
}

/** Adds uses of what is deprecated. Clients that are gone are left out. */
export async function addDeprecationUsage(db: Kysely<Database>, usage: readonly UsageCount[]): Promise<void> {
  const { clients, keys, days, counts } = listsOf(usage);
  await sql`
    /* addDeprecationUsage */
    insert into client_deprecation_usage (client_id, coordinate, day, uses)
    select used.client_id, used.coordinate, used.day, used.uses
    from unnest(${clients}::uuid[], ${keys}::text[], ${days}::date[], ${counts}::bigint[])
      as used (client_id, coordinate, day, uses)
    join client on client.id = used.client_id
    order by used.client_id, used.coordinate, used.day
    on conflict (client_id, coordinate, day) do update set uses = client_deprecation_usage.uses + excluded.uses
  `.execute(db);
}

/** How often a client ran each of its operations since the day, and when last; operations that never ran count 0. */
export async function selectOperationUsage(
  db: Kysely<Database>,
  clientId: ClientId,
  page: { readonly sinceDay: string; readonly limit: number },
): Promise<readonly { hash: string; name: string; runs: number; lastDay: string | null }[]> {
  const result = await sql<{ hash: string; name: string; runs: number; last_day: string | null }>`
    /* selectOperationUsage */
    select encode(operation.operation_hash, 'hex') as hash, operation.name,
      coalesce(sum(used.runs), 0)::float8 as runs, max(used.day)::text as last_day
    from client_operation as operation
    left join client_operation_usage as used on used.client_id = operation.client_id
      and used.operation_hash = operation.operation_hash and used.day >= ${page.sinceDay}::date
    where operation.client_id = ${uuidFromId(clientId)}
    group by operation.operation_hash, operation.name
    order by runs desc, operation.name limit ${page.limit}
  `.execute(db);
  return result.rows.map(({ last_day, ...row }) => ({ ...row, lastDay: last_day }));
}

/** What a client used of what is deprecated since the day, the most used first. */
export async function selectDeprecationUsage(
  db: Kysely<Database>,
  clientId: ClientId,
  page: { readonly sinceDay: string; readonly limit: number },
): Promise<readonly { coordinate: string; uses: number; lastDay: string }[]> {
  const result = await sql<{ coordinate: string; uses: number; last_day: string }>`
    /* selectDeprecationUsage */
    select coordinate, sum(uses)::float8 as uses, max(day)::text as last_day from client_deprecation_usage
    where client_id = ${uuidFromId(clientId)} and day >= ${page.sinceDay}::date
    group by coordinate order by uses desc, coordinate limit ${page.limit}
  `.execute(db);
  return result.rows.map(({ last_day, ...row }) => ({ ...row, lastDay: last_day }));
}
