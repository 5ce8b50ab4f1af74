import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { EventBus } from '../bus/port.ts';
import { selectStoredSequence } from '../db/channel-sequence.ts';
import type { Database } from '../db/connect.ts';
import { type PipelineFacts, selectPipelineFacts } from '../db/pipeline-health.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId } from '../lib/ids.ts';
import { eventsFinding, providerFinding, roomFinding, signFinding } from './connection-findings.ts';
import {
  type Finding,
  failing,
  ok,
  PIPELINE_LINKS,
  type PipelineLink,
  type PipelineLinkName,
  unknown,
  warning,
} from './pipeline-link.ts';

/** How long one look at one part may take, in milliseconds. */
const PROBE_MS = 3_000;
/** How long the storage worker has to show that it moves, in milliseconds, and how often we look. */
const STORAGE_MOVES_MS = 2_000;
const STORAGE_LOOK_MS = 100;
/** More unstored events than this are worth a warning although the worker moves. */
const STORAGE_LAG_WARNING = 5_000;

export type { PipelineLink } from './pipeline-link.ts';

export interface InspectDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly clock: Clock;
}

/**
 * Why do I see nothing? Every link from the room to the overlay, in the order events pass them, each with what was
 * found and what to do. Never throws: what cannot be looked at is FAILING or UNKNOWN. Takes at most about 8 s.
 */
export async function inspectPipeline(
  deps: InspectDeps,
  query: { readonly channelId: ChannelId },
): Promise<readonly PipelineLink[]> {
  const { channelId } = query;
  const startedAt = performance.now();
  const [facts, health, busSequence, subscribers, overlays] = await Promise.all([
    probe(() => selectPipelineFacts(deps.db, { channelId, nowMs: deps.clock.nowMs() })),
    probe(() => deps.bus.health()),
    probe(() => deps.bus.lastSequence(channelId)),
    probe(() => deps.bus.presence.count({ channelId, kind: 'subscriber' })),
    probe(() => deps.bus.presence.count({ channelId, kind: 'overlay' })),
  ]);
  const channel = await channelFindings(deps, { channelId, facts, busSequence });
  const findings: Readonly<Record<PipelineLinkName, Finding>> = {
    DATABASE: databaseFinding(facts, Math.round(performance.now() - startedAt)),
    BUS: busFinding(health),
    ...channel,
    SUBSCRIBERS: presenceFinding(subscribers, {
      none: 'nobody is subscribed to this channel.',
      some: (count) => `${count} subscriber${count === 1 ? '' : 's'} listening.`,
      advice: 'Open the overlay, or subscribe to eventReceived: docs/api.md shows how.',
    }),
    OVERLAY: presenceFinding(overlays, {
      none: 'no overlay is connected.',
      some: (count) => `${count} overlay${count === 1 ? '' : 's'} connected.`,
      advice:
        'Open the overlay address that `tallylight start` printed, or put it into OBS as a browser source.',
    }),
  };
  return PIPELINE_LINKS.map((link) => ({ link, ...findings[link] }));
}

type ChannelLink = 'PROVIDER' | 'SIGN_SERVICE' | 'ROOM' | 'EVENTS' | 'STORAGE';

/** What a look brought: its value, or that it failed or took too long. */
type Probed<T> =
  | { readonly kind: 'SEEN'; readonly value: T }
  | { readonly kind: 'FAILED'; readonly why: string };

/** The links that need the database's facts about the channel. */
async function channelFindings(
  deps: InspectDeps,
  seen: {
    readonly channelId: ChannelId;
    readonly facts: Probed<PipelineFacts>;
    readonly busSequence: Probed<number>;
  },
): Promise<Readonly<Record<ChannelLink, Finding>>> {
  const { facts } = seen;
  if (facts.kind === 'FAILED') return sameFor(unknown('not known while the database is out of reach.'));
  const { channel } = facts.value;
  if (channel === null) {
    const finding = failing(
      'there is no such channel.',
      'Connect it: the mutation channelConnect, or `tallylight start @handle`.',
    );
    return sameFor(finding);
  }
  const nowMs = deps.clock.nowMs();
  const busSequence = seen.busSequence.kind === 'SEEN' ? seen.busSequence.value : null;
  return {
    PROVIDER: providerFinding(channel, nowMs),
    SIGN_SERVICE: signFinding(facts.value, channel, nowMs),
    ROOM: roomFinding(channel, nowMs),
    EVENTS: eventsFinding(channel, busSequence, nowMs),
    STORAGE: await storageFinding(deps, {
      channelId: seen.channelId,
      busSequence,
      storedSequence: channel.storedSequence,
    }),
  };
}

function sameFor(finding: Finding): Readonly<Record<ChannelLink, Finding>> {
  return { PROVIDER: finding, SIGN_SERVICE: finding, ROOM: finding, EVENTS: finding, STORAGE: finding };
}

function databaseFinding(facts: Probed<PipelineFacts>, tookMs: number): Finding {
  if (facts.kind === 'SEEN')
    return ok(`PostgreSQL ${facts.value.serverVersion} answered within ${tookMs} ms.`);
  return failing(`PostgreSQL does not answer: ${facts.why}.`, 'Start it, or correct DATABASE_URL.');
}

function busFinding(health: Probed<Awaited<ReturnType<EventBus['health']>>>): Finding {
  const advice = 'Start Redis, or correct REDIS_URL. Tallylight reconnects by itself.';
  if (health.kind === 'FAILED') return failing(`the bus does not answer: ${health.why}.`, advice);
  const { kind, reachable, warnings } = health.value;
  if (!reachable) return failing(`the ${kind} bus is out of reach.`, advice);
  if (warnings.length > 0) return warning(warnings.join(' '), 'See docs/operations.md, "Redis".');
  return ok(`the ${kind} bus answers.`);
}

/** Unstored events are normal while the worker moves. So it is watched for a moment before it is called stuck. */
async function storageFinding(
  deps: InspectDeps,
  at: { readonly channelId: ChannelId; readonly busSequence: number | null; readonly storedSequence: number },
): Promise<Finding> {
  if (at.busSequence === null) return unknown('not known while the bus is out of reach.');
  const behind = at.busSequence - at.storedSequence;
  if (behind <= 0) return ok('every event is stored.');
  const moved = await probe(() => storageMoves(deps.db, at));
  if (moved.kind === 'FAILED') return unknown('not known while the database is out of reach.');
  if (!moved.value) {
    return failing(
      `${behind} events wait to be stored, and none was stored in ${STORAGE_MOVES_MS / 1000} s.`,
      'Start a storage worker: `tallylight start` or `tallylight worker`. If one runs, look at its log.',
    );
  }
  if (behind > STORAGE_LAG_WARNING) {
    return warning(
      `${behind} events wait to be stored; the worker is at it.`,
      'If this grows, the database is too slow for the load.',
    );
  }
  return ok(`storing; ${behind} event${behind === 1 ? '' : 's'} behind.`);
}

async function storageMoves(
  db: Kysely<Database>,
  at: { readonly channelId: ChannelId; readonly storedSequence: number },
): Promise<boolean> {
  const deadline = performance.now() + STORAGE_MOVES_MS;
  while (performance.now() < deadline) {
    if ((await selectStoredSequence(db, at.channelId)) > at.storedSequence) return true;
    await sleep(STORAGE_LOOK_MS);
  }
  return false;
}

function presenceFinding(
  count: Probed<number>,
  words: { readonly none: string; readonly some: (count: number) => string; readonly advice: string },
): Finding {
  if (count.kind === 'FAILED') return unknown('not known while the bus is out of reach.');
  return count.value === 0 ? warning(words.none, words.advice) : ok(words.some(count.value));
}

/** One look, which cannot throw and cannot take longer than `PROBE_MS`. */
async function probe<T>(look: () => Promise<T>): Promise<Probed<T>> {
  const timer = new AbortController();
  const timeout = sleep(PROBE_MS, undefined, { signal: timer.signal }).then(
    (): Probed<T> => ({
      kind: 'FAILED',
      why: `no answer within ${PROBE_MS / 1000} s`,
    }),
  );
  const answer = async (): Promise<Probed<T>> => {
    try {
      return { kind: 'SEEN', value: await look() };
    } catch (error) {
      return { kind: 'FAILED', why: failureWords(error) };
    }
  };
  try {
    return await Promise.race([answer(), timeout]);
  } finally {
    timer.abort(); // the race has taken the rejection that follows
  }
}

/** The system's code rather than its message, which may name hosts and users. */
function failureWords(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error';
  return 'code' in error && typeof error.code === 'string' && error.code !== '' ? error.code : error.name;
}
