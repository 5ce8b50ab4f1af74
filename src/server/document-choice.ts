import { GraphQLError } from 'graphql';
import type { Viewer } from '../auth/viewer.ts';
import { hashOfDocumentId, isOperationHash } from '../clients/operation.ts';
import type { RegisteredOperations } from '../clients/registered-operations.ts';
import type { ClientUsage } from '../clients/usage.ts';
import { DOCUMENT_LENGTH_MAX } from './limits.ts';

/**
 * Who may send documents of their own, beside registered ones: `never` nobody; `development` everybody who is not a program,
 * in development only; `trusted` administrators, owners of a channel and the holder of the installation's key, and in
 * development everybody who is not a program; `anybody` whoever is not a program. Integrators and overlays never may.
 */
export const FREE_FORM = ['trusted', 'development', 'anybody', 'never'] as const;
export type FreeForm = (typeof FREE_FORM)[number];

/** What a request says of the document it wants run. */
export interface DocumentRequest {
  readonly viewer: Viewer;
  readonly query?: string | null | undefined;
  readonly documentId?: unknown;
  readonly extensions?: Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * The text of the document that a request runs: a registered operation's, or the one it brings if the viewer may write any.
 * Nothing is ever registered by asking for it.
 * @throws GraphQLError OPERATION_NOT_REGISTERED, FREE_FORM_NOT_ALLOWED, GRAPHQL_PARSE_FAILED
 */
export async function chooseDocument(
  deps: { readonly operations: RegisteredOperations; readonly clientUsage: ClientUsage },
  options: { readonly freeForm: FreeForm; readonly development: boolean },
  request: DocumentRequest,
): Promise<string> {
  const { viewer, query, documentId, extensions } = request;
  const namesOperation = documentId != null || extensions?.persistedQuery != null;
  // An empty document is one too, unless an id stands in its place.
  if (query != null && (query !== '' || !namesOperation)) {
    if (mayWriteDocuments(viewer, options)) return requireShort(query);
    throw refusal(
      'FREE_FORM_NOT_ALLOWED',
      'Only registered operations may be run: send the id in place of the document.',
    );
  }
  const hash = hashOf(request);
  const operation = hash === null ? undefined : await deps.operations.find(viewer, hash);
  if (operation === undefined) {
    throw refusal('OPERATION_NOT_REGISTERED', 'There is no registered operation of this id for you.');
  }
  if (viewer.kind === 'CLIENT') deps.clientUsage.countOperation(viewer.clientId, operation.hash);
  return operation.document;
}

/** Parsed documents are remembered by their text: blanks and comments are not to fill the memory. */
function requireShort(document: string): string {
  if (document.length <= DOCUMENT_LENGTH_MAX) return document;
  const sentence = `The document has ${document.length} characters, of ${DOCUMENT_LENGTH_MAX} allowed.`;
  throw refusal('GRAPHQL_PARSE_FAILED', sentence);
}

/** The hash asked for in either way of writing it; null when it is none, or nothing was asked for. */
function hashOf({ documentId, extensions }: DocumentRequest): string | null {
  if (typeof documentId === 'string') return hashOfDocumentId(documentId);
  const persisted: unknown = extensions?.persistedQuery;
  if (typeof persisted !== 'object' || persisted === null || !('sha256Hash' in persisted)) return null;
  const { sha256Hash } = persisted;
  return typeof sha256Hash === 'string' && isOperationHash(sha256Hash) ? sha256Hash : null;
}

/** Whether the viewer may send documents of their own. */
export function mayWriteDocuments(
  viewer: Viewer,
  { freeForm, development }: { readonly freeForm: FreeForm; readonly development: boolean },
): boolean {
  if (viewer.kind === 'CLIENT' || viewer.kind === 'OVERLAY') return false;
  switch (freeForm) {
    case 'never':
      return false;
    case 'development':
      return development;
    case 'trusted':
      return development || isTrusted(viewer);
    case 'anybody':
      return true;
  }
}

function isTrusted(viewer: Viewer): boolean {
  if (viewer.kind === 'OPERATOR') return true;
  if (viewer.kind !== 'USER' || viewer.mfa === 'MISSING') return false;
  return viewer.platformRole === 'ADMIN' || [...viewer.memberships.values()].includes('OWNER');
}

function refusal(code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
