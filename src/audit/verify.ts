import type { Kysely } from 'kysely';
import { selectAuditEntriesAfter, selectAuditHead } from '../db/audit-log.ts';
import type { Database } from '../db/connect.ts';
import type { MasterKey } from '../privacy/master-key.ts';
import { createAuditChain, FIRST_HASH } from './chain.ts';
import type { AuditEntry } from './entry.ts';

/** Entries read at once, unless said otherwise. */
const PAGE_ENTRIES = 1_000;

/** What is wrong with the first entry that does not fit. */
export type AuditFault = 'MISSING' | 'CHANGED' | 'REORDERED' | 'ADDED' | 'HEAD_CHANGED' | 'NOT_AS_NOTED';

/** What looking at the whole log has shown. */
export type AuditVerdict =
  | { readonly intact: true; readonly entries: bigint; readonly hash: string }
  | { readonly intact: false; readonly sequence: bigint; readonly fault: AuditFault };

/** A place of the log that somebody noted elsewhere. `hash` is hexadecimal. */
export interface NotedPlace {
  readonly sequence: bigint;
  readonly hash: string;
}

/**
 * Looks at every entry from the first: whether each is what was written, where it was written, and none is missing, at the end
 * neither. A log put back whole to what it once was shows only against a place noted elsewhere.
 */
export async function verifyAuditLog(
  { db, masterKey }: { readonly db: Kysely<Database>; readonly masterKey: MasterKey },
  options: { readonly noted?: NotedPlace | null; readonly pageEntries?: number } = {},
): Promise<AuditVerdict> {
  const chain = createAuditChain(masterKey);
  // Read before the entries: those added meanwhile come after it.
  const head = await selectAuditHead(db);
  const limit = options.pageEntries ?? PAGE_ENTRIES;
  const noted = options.noted ?? null;
  let last: Pick<AuditEntry, 'sequence' | 'hash'> = { sequence: 0n, hash: FIRST_HASH };
  let atHead = last;
  for (;;) {
    const page = await selectAuditEntriesAfter(db, { after: last.sequence, limit });
    for (const entry of page) {
      const sequence = last.sequence + 1n;
      if (entry.sequence !== sequence) return { intact: false, sequence, fault: 'MISSING' };
      if (!chain.fits(entry)) return { intact: false, sequence, fault: 'CHANGED' };
      if (!entry.previousHash.equals(last.hash)) return { intact: false, sequence, fault: 'REORDERED' };
      if (noted?.sequence === sequence && noted.hash !== entry.hash.toString('hex')) {
        return { intact: false, sequence, fault: 'NOT_AS_NOTED' };
      }
      last = entry;
      if (sequence === head?.sequence) atHead = entry;
    }
    if (page.length < limit) break;
  }
  if (head === undefined || !chain.headFits(head)) {
    return { intact: false, sequence: last.sequence, fault: 'HEAD_CHANGED' };
  }
  if (last.sequence < head.sequence) return { intact: false, sequence: last.sequence + 1n, fault: 'MISSING' };
  if (!atHead.hash.equals(head.hash))
    return { intact: false, sequence: head.sequence, fault: 'HEAD_CHANGED' };
  if (noted !== null && last.sequence < noted.sequence) {
    return { intact: false, sequence: last.sequence + 1n, fault: 'MISSING' };
  }
  return (await headMoved(db, last.sequence))
    ? { intact: true, entries: last.sequence, hash: last.hash.toString('hex') }
    : { intact: false, sequence: head.sequence + 1n, fault: 'ADDED' };
}

/** Whether the head has reached what was read: an entry is added together with moving it. */
async function headMoved(db: Kysely<Database>, sequence: bigint): Promise<boolean> {
  const head = await selectAuditHead(db);
  return head !== undefined && head.sequence >= sequence;
}
