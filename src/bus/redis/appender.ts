import { DependencyError } from '../../errors/errors.ts';
import type { EventDraft } from '../../events/unified-event.ts';
import { assert } from '../../lib/assert.ts';
import { pause } from '../../lib/pause.ts';
import {
  APPEND_STEP_CHARACTERS_MAX,
  APPEND_STEP_EVENTS_MAX,
  DEDUPE_WINDOW_IDS_MAX,
  DEDUPE_WINDOW_MS,
  GROUP_ABANDONED_MS,
} from '../limits.ts';
import { type AppendOutcome, type AppendRequest, StaleLeaseError, type StateChanges } from '../port.ts';
import { APPEND_SCRIPT } from './append-script.ts';
import type { RedisConnections } from './connections.ts';
import type { RedisKeys } from './keys.ts';

/** A channel nothing was appended to for this long loses its head in Redis, in milliseconds; PostgreSQL knows its sequence. */
const CHANNEL_MEMORY_MS = 30 * 24 * 60 * 60 * 1_000;

/** How often an append that found the stream full looks again, in milliseconds. */
const FULL_PAUSE_MS = 25;

/** Hexadecimal digits of an event id that the windows keep: 128 bits are beyond any accident, and half the memory. */
const SEEN_ID_DIGITS = 32;

/** What appending needs. */
export interface AppenderDeps {
  readonly connections: RedisConnections;
  readonly keys: RedisKeys;
  readonly streamEventsMax: number;
  readonly appendWaitMs: number;
  /** Aborted when the bus closes. */
  readonly signal: AbortSignal;
}

/** Events of one atomic step, as JSON. */
interface Step {
  readonly ids: string[];
  readonly texts: string[];
  characters: number;
}

/** Appends a request in as few steps as the limits allow. @see EventBus.append */
export async function appendToRedis(
  deps: AppenderDeps,
  request: AppendRequest,
): Promise<readonly AppendOutcome[]> {
  const steps = stepsOf(request);
  const outcomes: AppendOutcome[] = [];
  for (const [index, step] of steps.entries()) {
    // The state goes with the last step: a producer that dies before repeats its events, which are then duplicates.
    const stateChanges = index === steps.length - 1 ? request.stateChanges : undefined;
    for (const outcome of await appendStep(deps, request, step, stateChanges)) outcomes.push(outcome);
  }
  return outcomes;
}

/** Cuts the request's events into steps; a request without events is one step too, for its state changes. */
function stepsOf(request: AppendRequest): readonly Step[] {
  let step: Step = { ids: [], texts: [], characters: 0 };
  const steps = [step];
  for (const event of request.events) {
    assert(event.channelId === request.channelId, 'all events of an append are of its channel');
    const text = JSON.stringify(event satisfies EventDraft);
    const full =
      step.ids.length >= APPEND_STEP_EVENTS_MAX ||
      (step.ids.length > 0 && step.characters + text.length > APPEND_STEP_CHARACTERS_MAX);
    if (full) {
      step = { ids: [], texts: [], characters: 0 };
      steps.push(step);
    }
    step.ids.push(event.eventId.slice(0, SEEN_ID_DIGITS));
    step.texts.push(text);
    step.characters += text.length;
  }
  return steps;
}

/** One run of the script, again while the stream is full, up to the limit. */
async function appendStep(
  deps: AppenderDeps,
  request: AppendRequest,
  step: Step,
  stateChanges: StateChanges | undefined,
): Promise<readonly AppendOutcome[]> {
  const keys = keysOf(deps.keys, request);
  const args = argumentsOf(deps, request, step, stateChanges);
  for (let waitedMs = 0; ; waitedMs += FULL_PAUSE_MS) {
    // The shape is what APPEND_SCRIPT returns; nobody else answers for it.
    const [kind, first, ...cursors] = (await deps.connections.run(APPEND_SCRIPT, keys, args)) as [
      'OK' | 'STALE' | 'FULL',
      number,
      ...string[],
    ];
    if (kind === 'OK') return outcomesOf(first, cursors);
    if (kind === 'STALE') {
      throw new StaleLeaseError(
        `the lease ${request.lease?.name} of epoch ${request.lease?.epoch} is no longer held`,
      );
    }
    if (waitedMs >= deps.appendWaitMs || deps.signal.aborted) {
      throw new DependencyError('the event bus is full: its consumers are behind', {
        dependency: 'bus',
        retryable: true,
      });
    }
    await pause(FULL_PAUSE_MS, deps.signal);
  }
}

function keysOf(keys: RedisKeys, request: AppendRequest): readonly string[] {
  const { channelId, lease } = request;
  const shard = keys.shardOf(channelId);
  const named = [
    keys.stream(shard),
    keys.head(channelId),
    keys.state(channelId),
    keys.seen(channelId, 0),
    keys.seen(channelId, 1),
    keys.readers(shard),
    keys.live(channelId),
  ];
  if (lease === null) return named;
  assert(lease.name.endsWith(channelId), "a producer's lease is named after its channel");
  return [...named, keys.lease(lease.name)];
}

function argumentsOf(
  deps: AppenderDeps,
  request: AppendRequest,
  step: Step,
  stateChanges: StateChanges | undefined,
): readonly (string | number)[] {
  const set = Object.entries(stateChanges?.set ?? {}).flat();
  const deleted = stateChanges?.delete ?? [];
  return [
    request.lease?.ownerId ?? '',
    request.lease?.epoch ?? '',
    request.sequenceFloor,
    deps.streamEventsMax,
    DEDUPE_WINDOW_MS,
    DEDUPE_WINDOW_IDS_MAX,
    CHANNEL_MEMORY_MS,
    GROUP_ABANDONED_MS,
    set.length / 2,
    deleted.length,
    step.ids.length,
    ...set,
    ...deleted,
    ...step.ids,
    ...step.texts,
  ];
}

/** Sequences are consecutive over what was appended. */
function outcomesOf(firstSequence: number, cursors: readonly string[]): readonly AppendOutcome[] {
  let sequence = firstSequence;
  return cursors.map((cursor) => {
    if (cursor === '') return { kind: 'DUPLICATE' };
    const outcome: AppendOutcome = { kind: 'APPENDED', sequence, cursor };
    sequence += 1;
    return outcome;
  });
}
