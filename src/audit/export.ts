import type { Kysely } from 'kysely';
import { selectAuditEntriesAfter } from '../db/audit-log.ts';
import type { Database } from '../db/connect.ts';
import type { AuditEntry } from './entry.ts';

/** Entries read at once. */
const PAGE_ENTRIES = 1_000;

/** Every entry as a line of JSON, in order. Addresses stay sealed, in base64. */
export async function* exportAuditLog(db: Kysely<Database>): AsyncGenerator<string> {
  let after = 0n;
  for (;;) {
    const page = await selectAuditEntriesAfter(db, { after, limit: PAGE_ENTRIES });
    for (const entry of page) yield auditLine(entry);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.sequence;
  }
}

/** One entry as JSON: the whole of what its hash is over, and the hash. */
export function auditLine(entry: AuditEntry): string {
  return JSON.stringify({
    sequence: Number(entry.sequence),
    id: entry.id,
    at: new Date(entry.at).toISOString(),
    actorKind: entry.actorKind,
    actorId: entry.actorId,
    role: entry.role,
    channelId: entry.channelId,
    action: entry.action,
    target: entry.target,
    outcome: entry.outcome,
    code: entry.code,
    requestId: entry.requestId,
    address: entry.address?.toString('base64') ?? null,
    details: entry.details,
    previousHash: entry.previousHash.toString('hex'),
    hash: entry.hash.toString('hex'),
  });
}
