import type { Kysely } from 'kysely';
import { selectAuditPage } from '../db/audit-log.ts';
import type { Database } from '../db/connect.ts';
import { badCursor, type Page, pageOf } from '../live/page.ts';
import type { AuditEntry, AuditFilter } from './entry.ts';

/** A page of the log, the newest first. @throws BadArgumentError on a bad cursor */
export async function listAuditEntries(
  { db }: { readonly db: Kysely<Database> },
  query: { readonly filter: AuditFilter; readonly first: number; readonly after: string | null },
): Promise<Page<AuditEntry>> {
  const before = query.after === null ? null : sequenceOf(query.after);
  const rows = await selectAuditPage(db, { filter: query.filter, before, limit: query.first + 1 });
  return pageOf(rows, query.first);
}

/** The cursor of an entry. */
export function auditCursor({ sequence }: AuditEntry): string {
  return Buffer.from(`aud.${sequence}`).toString('base64url');
}

function sequenceOf(cursor: string): bigint {
  const match = /^aud\.(\d{1,18})$/.exec(Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1'));
  if (match?.[1] === undefined) throw badCursor();
  return BigInt(match[1]);
}
