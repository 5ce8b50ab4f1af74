import { createHash } from 'node:crypto';

/** A document that may be run by its id. */
export interface RegisteredOperation {
  /** sha256 of the document, 64 hexadecimal digits in lower case. */
  readonly hash: string;
  /** The operation's own name. */
  readonly name: string;
  readonly document: string;
}

/** What is wrong with a document, sentence by sentence; the operation's name when nothing is. */
export type DocumentVerdict =
  | { readonly kind: 'GOOD'; readonly name: string }
  | { readonly kind: 'BAD'; readonly problems: readonly string[] };

/** Parses and validates a document, with every limit that documents are held to. */
export type CheckDocument = (document: string) => DocumentVerdict;

/** The id that a document is run by: sha256 of exactly this text, in UTF-8. */
export function operationHash(document: string): string {
  return createHash('sha256').update(document, 'utf8').digest('hex');
}

const HASH_PATTERN = /^[0-9a-f]{64}$/;
const DOCUMENT_ID_PATTERN = /^sha256:([0-9a-f]{64})$/;

/** The hash in `sha256:…`, or null when it is not written so. */
export function hashOfDocumentId(id: string): string | null {
  return DOCUMENT_ID_PATTERN.exec(id)?.[1] ?? null;
}

/** Whether the text is a hash as it must be written: 64 digits, lower case. */
export function isOperationHash(text: string): boolean {
  return HASH_PATTERN.test(text);
}
