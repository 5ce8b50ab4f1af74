import { classifyFailure, sqlState } from '../../db/sql-state.ts';
import type { UnifiedEvent } from '../unified-event.ts';
import { type BatchDeps, insertBatch, prepareBatch } from './batch.ts';
import type { PartitionMemory } from './partitions.ts';

export type StoreDeps = BatchDeps & { readonly partitions: PartitionMemory };

/** What became of a batch. The rest of it was there already. */
export interface IsolationResult {
  readonly stored: number;
  /** Events that can never be stored, and why, without any of their content. */
  readonly refused: readonly { readonly event: UnifiedEvent; readonly reason: string }[];
}

/**
 * Stores what can be stored. A batch that the database refuses for its data is halved until the events at fault stand
 * alone: k of them among n cost about k × log2(n) more transactions. Any other failure is thrown; what other halves
 * stored stays stored, and storing it again changes nothing.
 */
export async function storeIsolating(
  deps: StoreDeps,
  events: readonly UnifiedEvent[],
): Promise<IsolationResult> {
  if (events.length === 0) return { stored: 0, refused: [] };
  try {
    return { stored: await storeInPartitions(deps, events), refused: [] };
  } catch (error) {
    if (classifyFailure(error) !== 'data') throw error;
    const [first] = events;
    if (events.length === 1 && first !== undefined) {
      return {
        stored: 0,
        refused: [{ event: first, reason: `the database refuses it (SQLSTATE ${sqlState(error)})` }],
      };
    }
  }
  const middle = Math.ceil(events.length / 2);
  const left = await storeIsolating(deps, events.slice(0, middle));
  const right = await storeIsolating(deps, events.slice(middle));
  return { stored: left.stored + right.stored, refused: [...left.refused, ...right.refused] };
}

async function storeInPartitions(deps: StoreDeps, events: readonly UnifiedEvent[]): Promise<number> {
  await deps.partitions.ensure(events);
  const batch = await prepareBatch(deps, events);
  try {
    return await insertBatch(deps, batch);
  } catch (error) {
    if (classifyFailure(error) !== 'no-partition') throw error;
    deps.partitions.forget();
    await deps.partitions.ensure(events);
    return insertBatch(deps, batch);
  }
}
