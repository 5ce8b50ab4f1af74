import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { deriveKey, type MasterKey } from '../privacy/master-key.ts';
import type { AuditContent, AuditDetails, AuditEntry, AuditHead } from './entry.ts';

/** First byte of what is hashed: the encoding below. */
const FORMAT = 1;

/** What seals the log: only who has the master key can make hashes that fit. */
export interface AuditChain {
  /** The entry that comes after `head`. */
  next(head: Pick<AuditHead, 'sequence' | 'hash'>, content: AuditContent): AuditEntry;
  /** Whether the entry's hash is that of its content. */
  fits(entry: AuditEntry): boolean;
  /** What the head says when the log ends with this entry. */
  headOf(entry: Pick<AuditEntry, 'sequence' | 'hash'>): AuditHead;
  /** Whether the head was written by us; one of a log without entries bears no seal. */
  headFits(head: AuditHead): boolean;
}

/** The chain of this master key: HMAC-SHA-256 over each entry and the hash before it. */
export function createAuditChain(masterKey: MasterKey): AuditChain {
  const entryKey = createSecretKey(deriveKey(masterKey, 'audit chain'));
  const headKey = createSecretKey(deriveKey(masterKey, 'audit chain head'));
  const hashOf = (entry: Omit<AuditEntry, 'hash'>) =>
    createHmac('sha256', entryKey).update(encodeEntry(entry)).digest();
  const sealOf = ({ sequence, hash }: Pick<AuditHead, 'sequence' | 'hash'>) =>
    createHmac('sha256', headKey).update(`${FORMAT}\n${sequence}\n`).update(hash).digest();
  return {
    next: (head, content) => {
      const entry = { ...content, sequence: head.sequence + 1n, previousHash: head.hash };
      return { ...entry, hash: hashOf(entry) };
    },
    fits: (entry) => timingSafeEqual(hashOf(entry), entry.hash),
    headOf: ({ sequence, hash }) => ({ sequence, hash, seal: sealOf({ sequence, hash }) }),
    headFits: (head) => {
      if (head.seal === null) return head.sequence === 0n && head.hash.equals(FIRST_HASH);
      return head.seal.length === 32 && timingSafeEqual(sealOf(head), head.seal);
    },
  };
}

/** What the first entry has for the hash before it. */
export const FIRST_HASH = Buffer.alloc(32);

/** Every field behind its length, null apart from empty: no two entries have the same bytes. */
function encodeEntry(entry: Omit<AuditEntry, 'hash'>): Buffer {
  const fields = [
    String(entry.sequence),
    entry.id,
    String(entry.at),
    entry.actorKind,
    entry.actorId,
    entry.role,
    entry.channelId,
    entry.action,
    entry.target,
    entry.outcome,
    entry.code,
    entry.requestId,
    entry.address,
    canonicalDetails(entry.details),
    entry.previousHash,
  ];
  return Buffer.concat([Buffer.of(FORMAT), ...fields.flatMap(encodeField)]);
}

function encodeField(field: string | Buffer | null): readonly Buffer[] {
  if (field === null) return [Buffer.of(0)];
  const body = typeof field === 'string' ? Buffer.from(field, 'utf8') : field;
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeUInt32BE(body.length, 1);
  return [head, body];
}

/** As JSON with sorted keys: PostgreSQL keeps them in an order of its own. */
export function canonicalDetails(details: AuditDetails): string {
  return JSON.stringify(Object.fromEntries(Object.entries(details).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}
