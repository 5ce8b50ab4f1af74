import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Viewer } from '../auth/viewer.ts';
import type { EventBus } from '../bus/port.ts';
import {
  type ClientManifestRow,
  type ClientOperationRow,
  deleteOldManifests,
  insertManifest,
  selectManifests,
} from '../db/client-operation.ts';
import type { Database } from '../db/connect.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import type { Clock } from '../lib/clock.ts';
import { type ClientId, newId } from '../lib/ids.ts';
import { type OperationProblem, OperationsRefusedError } from './errors.ts';
import { lockManagedClient } from './managed.ts';
import { type CheckDocument, operationHash } from './operation.ts';

/** The bus topic on which is told that a client published. The payload is the client's id. */
export const OPERATIONS_TOPIC = 'operations';

/** How many operations a manifest may list. */
export const OPERATIONS_MAX = 500;
/** Older versions are forgotten. */
const VERSIONS_KEPT = 20;

/** One line of a manifest. */
export interface ManifestEntry {
  readonly name: string;
  readonly document: string;
}

/**
 * Publishes what a client runs from now on, as its next version. The version before goes on running beside it.
 * @throws InvalidInputError, ClientNotFoundError
 * @throws OperationsRefusedError listing every operation that cannot be registered; then nothing is
 */
export async function publishOperations(
  deps: {
    readonly db: Kysely<Database>;
    readonly bus: EventBus;
    readonly clock: Clock;
    readonly checkDocument: CheckDocument;
  },
  viewer: Viewer,
  clientId: ClientId,
  entries: readonly ManifestEntry[],
): Promise<{ readonly version: number; readonly operations: readonly ClientOperationRow[] }> {
  const operations = await checkedOperations(deps.checkDocument, entries);
  const createdAt = deps.clock.nowMs();
  const version = await deps.db.transaction().execute(async (tx) => {
    await lockManagedClient(tx, viewer, clientId);
    const manifest = { id: newId('manifest', createdAt), clientId, operations, createdAt };
    const next = await insertManifest(tx, manifest);
    await deleteOldManifests(tx, clientId, VERSIONS_KEPT);
    return next;
  });
  await deps.bus.notify(OPERATIONS_TOPIC, clientId);
  return { version, operations };
}

/** What a client published, the newest first, 20 at most. */
export function listManifests(
  { db }: { readonly db: Kysely<Database> },
  clientId: ClientId,
): Promise<readonly ClientManifestRow[]> {
  return selectManifests(db, clientId, VERSIONS_KEPT);
}

async function checkedOperations(
  checkDocument: CheckDocument,
  entries: readonly ManifestEntry[],
): Promise<readonly ClientOperationRow[]> {
  if (entries.length < 1 || entries.length > OPERATIONS_MAX) {
    const message = `A manifest has 1 to ${OPERATIONS_MAX} operations.`;
    throw new InvalidInputError([{ path: ['operations'], code: 'OUT_OF_RANGE', message }]);
  }
  const problems: OperationProblem[] = [];
  const byHash = new Map<string, ClientOperationRow>();
  for (const [index, { name, document }] of entries.entries()) {
    // Others are served in between: checking a long document takes a millisecond.
    await nextTurn();
    const verdict = checkDocument(document);
    if (verdict.kind === 'BAD') {
      problems.push(...verdict.problems.map((message) => ({ index, name, message })));
    } else if (verdict.name !== name) {
      const message = `The document's operation is called ${verdict.name}.`;
      problems.push({ index, name, message });
    } else {
      const hash = operationHash(document);
      byHash.set(hash, { hash, name, document });
    }
  }
  if (problems.length > 0) throw new OperationsRefusedError(problems);
  return [...byHash.values()];
}
