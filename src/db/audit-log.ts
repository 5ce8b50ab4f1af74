import { type Kysely, sql, type Transaction } from 'kysely';
import type {
  ActorKind,
  AuditDetails,
  AuditEntry,
  AuditFilter,
  AuditHead,
  AuditIntent,
  AuditOutcome,
} from '../audit/entry.ts';
import { assert } from '../lib/assert.ts';
import { type Id, idFromUuid, uuidFromId } from '../lib/ids.ts';
import type { Database } from './connect.ts';

interface RawAct {
  id: string;
  at: Date;
  actor_kind: ActorKind;
  actor_id: string | null;
  role: string | null;
  channel_id: string | null;
  action: string;
  target: string | null;
  request_id: string | null;
  address: Buffer | null;
  details: AuditDetails;
}
interface RawEntry extends RawAct {
  sequence: bigint;
  outcome: AuditOutcome;
  code: string | null;
  previous_hash: Buffer;
  hash: Buffer;
}

function intentOf(raw: RawAct): AuditIntent {
  return {
    id: idFromUuid('auditEntry', raw.id),
    at: raw.at.getTime(),
    actorKind: raw.actor_kind,
    actorId: raw.actor_id,
    role: raw.role,
    channelId: raw.channel_id === null ? null : idFromUuid('channel', raw.channel_id),
    action: raw.action,
    target: raw.target,
    requestId: raw.request_id,
    address: raw.address,
    details: raw.details,
  };
}

function entryOf(raw: RawEntry): AuditEntry {
  return {
    ...intentOf(raw),
    sequence: raw.sequence,
    outcome: raw.outcome,
    code: raw.code,
    previousHash: raw.previous_hash,
    hash: raw.hash,
  };
}

const uuidOrNull = (id: AuditIntent['channelId']) => (id === null ? null : uuidFromId(id));

/** Where the log ends, locked until the transaction does: whoever adds an entry waits for the one before. */
export async function lockAuditHead(tx: Transaction<Database>): Promise<AuditHead> {
  const result = await sql<AuditHead>`
    /* lockAuditHead */
    select sequence, hash, seal from audit_head for update
  `.execute(tx);
  const head = result.rows[0];
  assert(head !== undefined, 'the migration makes the head of the audit log');
  return head;
}

/** Where the log ends; undefined when somebody took the row away. */
export async function selectAuditHead(db: Kysely<Database>): Promise<AuditHead | undefined> {
  const result =
    await sql<AuditHead>`/* selectAuditHead */ select sequence, hash, seal from audit_head`.execute(db);
  return result.rows[0];
}

/** Adds entries, and moves the head to the last of them. Needs the head's lock. */
export async function insertAuditEntries(
  tx: Transaction<Database>,
  { entries, head }: { readonly entries: readonly AuditEntry[]; readonly head: AuditHead },
): Promise<void> {
  const rows = entries.map(
    (
      entry,
    ) => sql`(${entry.sequence}::bigint, ${uuidFromId(entry.id)}::uuid, ${new Date(entry.at)}::timestamptz, ${entry.actorKind},
      ${entry.actorId}, ${entry.role}, ${uuidOrNull(entry.channelId)}::uuid, ${entry.action}, ${entry.target}, ${entry.outcome},
      ${entry.code}, ${entry.requestId}, ${entry.address}::bytea, ${JSON.stringify(entry.details)}::jsonb,
      ${entry.previousHash}::bytea, ${entry.hash}::bytea)`,
  );
  await sql`
    /* insertAuditEntries */
    with moved as (update audit_head set sequence = ${head.sequence}, hash = ${head.hash}, seal = ${head.seal})
    insert into audit_entry (sequence, id, at, actor_kind, actor_id, role, channel_id, action, target, outcome, code,
      request_id, address, details, previous_hash, hash)
    values ${sql.join(rows)}
  `.execute(tx);
}

/** Entries after a sequence, in order. */
export async function selectAuditEntriesAfter(
  db: Kysely<Database>,
  { after, limit }: { readonly after: bigint; readonly limit: number },
): Promise<readonly AuditEntry[]> {
  const result = await sql<RawEntry>`
    /* selectAuditEntriesAfter */
    select * from audit_entry where sequence > ${after} order by sequence limit ${limit}
  `.execute(db);
  return result.rows.map(entryOf);
}

/** A page of entries, the newest first, beginning below a sequence; null: with the newest. */
export async function selectAuditPage(
  db: Kysely<Database>,
  query: { readonly filter: AuditFilter; readonly before: bigint | null; readonly limit: number },
): Promise<readonly AuditEntry[]> {
  const { actorId, channelId, action, outcome, from, to } = query.filter;
  const conditions = [
    ...(query.before === null ? [] : [sql`sequence < ${query.before}`]),
    ...(actorId === null ? [] : [sql`actor_id = ${actorId}`]),
    ...(channelId === null ? [] : [sql`channel_id = ${uuidFromId(channelId)}`]),
    ...(action === null ? [] : [sql`action = ${action}`]),
    ...(outcome === null ? [] : [sql`outcome = ${outcome}`]),
    ...(from === null ? [] : [sql`at >= ${new Date(from)}`]),
    ...(to === null ? [] : [sql`at < ${new Date(to)}`]),
  ];
  const where = conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
  const result = await sql<RawEntry>`
    /* selectAuditPage */
    select * from audit_entry where ${where} order by sequence desc limit ${query.limit}
  `.execute(db);
  return result.rows.map(entryOf);
}

/** Notes what is about to be done. */
export async function insertAuditIntent(db: Kysely<Database>, intent: AuditIntent): Promise<void> {
  await sql`
    /* insertAuditIntent */
    insert into audit_intent (id, at, kept_at, actor_kind, actor_id, role, channel_id, action, target, request_id, address,
      details)
    values (${uuidFromId(intent.id)}, ${new Date(intent.at)}, ${new Date(intent.at)}, ${intent.actorKind},
      ${intent.actorId}, ${intent.role}, ${uuidOrNull(intent.channelId)}, ${intent.action}, ${intent.target},
      ${intent.requestId}, ${intent.address}, ${JSON.stringify(intent.details)}::jsonb)
  `.execute(db);
}

/** Says that these are still being done. */
export async function keepAuditIntents(
  db: Kysely<Database>,
  { ids, nowMs }: { readonly ids: readonly Id<'auditEntry'>[]; readonly nowMs: number },
): Promise<void> {
  await sql`
    /* keepAuditIntents */
    update audit_intent set kept_at = ${new Date(nowMs)} where id = any(${ids.map(uuidFromId)}::uuid[])
  `.execute(db);
}

/** Takes intents away. Names those that were there. */
export async function deleteAuditIntents(
  tx: Transaction<Database>,
  ids: readonly Id<'auditEntry'>[],
): Promise<ReadonlySet<Id<'auditEntry'>>> {
  const result = await sql<{ id: string }>`
    /* deleteAuditIntents */
    delete from audit_intent where id = any(${ids.map(uuidFromId)}::uuid[]) returning id
  `.execute(tx);
  return new Set(result.rows.map(({ id }) => idFromUuid('auditEntry', id)));
}

/** Takes one intent away that nobody has kept since `keptBefore`; undefined when there is none. */
export async function takeLostAuditIntent(
  tx: Transaction<Database>,
  keptBefore: number,
): Promise<AuditIntent | undefined> {
  const result = await sql<RawAct>`
    /* takeLostAuditIntent */
    delete from audit_intent where id = (
      select id from audit_intent where kept_at < ${new Date(keptBefore)} order by kept_at limit 1 for update skip locked
    ) returning *
  `.execute(tx);
  const raw = result.rows[0];
  return raw === undefined ? undefined : intentOf(raw);
}
