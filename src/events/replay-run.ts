import { createHash } from 'node:crypto';
import type { EventBus } from '../bus/port.ts';
import { type EventPageQuery, type EventRow, selectEventPage } from '../db/event-history.ts';
import {
  countSessionEvents,
  selectSessionPlace,
  updateReplayEnded,
  updateReplayProgress,
  updateReplayTotal,
} from '../db/replay.ts';
import { type SessionRow, selectSessions } from '../db/session.ts';
import type { ChannelId, SessionId, StreamId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Vault } from '../privacy/vault.ts';
import type { EventCursor } from './event-cursor.ts';
import { eventId } from './event-id.ts';
import { ReplayCancelled } from './replay-errors.ts';
import { ReplayFeed, type ReplayFeedDeps } from './replay-feed.ts';
import { openEvents, type StoredEvent } from './stored-event.ts';
import type { EventDraft, UnifiedEvent } from './unified-event.ts';

/** Stored events read and decrypted in one go. */
const READ_EVENTS = 500;
/**
 * How often progress is written and the wish to cancel is read, in milliseconds. Also bounds what a worker that took over
 * repeats: far fewer events than the bus remembers ids, so nobody sees one twice.
 */
const PROGRESS_EVERY_MS = 500;

export interface ReplayRunDeps extends ReplayFeedDeps {
  readonly vault: Vault;
  readonly logger: Logger;
}

/**
 * Runs a requested replay to its end, or goes on with one whose worker died: event ids follow from the original's, so what
 * was appended before is refused as a duplicate. Returns when it has ended or was cancelled; throws when it is to be tried
 * again, also when `signal` stops it.
 *
 * What is replayed: every event of the session in its order, with its own `timestamp`, as new events of the new session. Users are
 * as their member is known today; an erased member's events come without one. Chat and questions whose words nobody may
 * or can read any more are left out. Gifts were stored as the growth each one added, so they are replayed as they are;
 * only `streakId` is the replay's own, so that an alert on screen never mixes with the original's or another replay's.
 */
export async function runReplay(
  deps: ReplayRunDeps,
  run: { readonly sessionId: SessionId; readonly signal: AbortSignal },
): Promise<void> {
  const [session] = await selectSessions(deps.db, [run.sessionId]);
  if (session?.replay == null || session.state !== 'LIVE') return;
  const total = await countSessionEvents(deps.db, session.replay.of);
  if (!(await updateReplayTotal(deps.db, { sessionId: session.id, total }))) return;
  const cancelled = new AbortController();
  const signal = AbortSignal.any([run.signal, cancelled.signal]);
  const { channelId, replay } = session;
  const feed = new ReplayFeed(deps, { channelId, speed: replay.speed, signal, done: replay.eventsDone });
  const cancel = () => cancelled.abort(new ReplayCancelled());
  const unlisten = await deps.bus.listen(cancelTopic(session.id), cancel);
  const finished = new AbortController();
  const watching = watchProgress(deps, { session, feed, cancel, finished: finished.signal });
  deps.logger.info({ sessionId: session.id, total, done: feed.done }, 'replay.started');
  try {
    await feedSession(deps, { session, of: replay.of, feed });
    await endReplay(deps, session, { state: 'ENDED', done: feed.done });
  } catch (error) {
    if (!(error instanceof ReplayCancelled)) throw error;
    await endReplay(deps, session, { state: 'CANCELLED', done: feed.done });
  } finally {
    finished.abort();
    await watching;
    await unlisten();
  }
}

async function feedSession(
  deps: ReplayRunDeps,
  replay: { readonly session: SessionRow; readonly of: SessionId; readonly feed: ReplayFeed },
): Promise<void> {
  const { session, of, feed } = replay;
  let after: EventCursor | null = null;
  if (feed.done > 0)
    after = (await selectSessionPlace(deps.db, { sessionId: of, number: feed.done })) ?? null;
  for (;;) {
    const rows: readonly EventRow[] = await selectEventPage(
      deps.db,
      sessionPage(session.channelId, of, after),
    );
    for (const item of await openEvents(deps, rows, { users: true, texts: true })) {
      if (!hasWords(item)) feed.skip();
      else await feed.add(replayDraft(item.event, { sessionId: session.id, nowMs: deps.clock.nowMs() }));
    }
    await feed.flush();
    const last = rows.at(-1);
    if (last === undefined || rows.length < READ_EVENTS) return;
    after = last;
  }
}

function sessionPage(channelId: ChannelId, sessionId: SessionId, after: EventCursor | null): EventPageQuery {
  return {
    channelId,
    streamId: null,
    sessionId,
    memberId: null,
    triggerIds: null,
    coinsMin: null,
    from: null,
    to: null,
    after,
    replays: true,
    order: 'ASC',
    rowsMax: READ_EVENTS,
    personal: true,
  };
}

/** False for chat and questions whose words were deleted, erased or damaged: there is nothing left to show. */
function hasWords({ event, personal }: StoredEvent): boolean {
  return personal === 'READABLE' || (event.eventType !== 'CHAT' && event.eventType !== 'QUESTION');
}

/** The event as the replay's own. The same original and session always give the same id. */
function replayDraft(
  event: UnifiedEvent,
  replay: { readonly sessionId: SessionId; readonly nowMs: number },
): EventDraft {
  const { sequence: _givenByTheBus, ...original } = event;
  const draft = {
    ...original,
    eventId: eventId({
      provider: event.provider,
      streamId: event.streamId,
      sessionId: replay.sessionId,
      messageId: event.eventId,
      localSequence: 0,
      rawType: event.eventType,
      source: 'REPLAY',
    }),
    sessionId: replay.sessionId,
    ingestedAt: replay.nowMs,
    source: 'REPLAY',
  } as EventDraft; // an event without its sequence, other ids in place
  if (draft.eventType !== 'GIFT') return draft;
  const streakId = createHash('sha256')
    .update(`${replay.sessionId}\n${draft.payload.streakId}`)
    .digest('hex')
    .slice(0, 32);
  return { ...draft, payload: { ...draft.payload, streakId } };
}

/** Writes progress and listens to the row, in case the notification was missed. Ends with `finished`. */
async function watchProgress(
  deps: ReplayRunDeps,
  watch: {
    readonly session: SessionRow;
    readonly feed: ReplayFeed;
    readonly cancel: () => void;
    readonly finished: AbortSignal;
  },
): Promise<void> {
  const { session, feed, cancel, finished } = watch;
  while (!finished.aborted) {
    try {
      const { cancelRequested } = await updateReplayProgress(deps.db, {
        sessionId: session.id,
        done: feed.done,
      });
      if (cancelRequested) cancel();
    } catch (error) {
      // The feed meets the same database and decides; this loop only reports.
      deps.logger.warn({ err: error, sessionId: session.id }, 'replay.progress_failed');
    }
    await deps.pause(PROGRESS_EVERY_MS, finished);
  }
}

async function endReplay(
  deps: ReplayRunDeps,
  session: SessionRow,
  end: { readonly state: 'ENDED' | 'CANCELLED'; readonly done: number },
): Promise<void> {
  await updateReplayEnded(deps.db, { ...end, sessionId: session.id, reason: null, at: deps.clock.nowMs() });
  await tellStateChange(deps, session);
  deps.logger.info({ sessionId: session.id, state: end.state, done: end.done }, 'replay.ended');
}

/** The bus topic on which a replay is told to stop at once. */
export function cancelTopic(sessionId: SessionId): string {
  return `replay:${sessionId}`;
}

/** Tells whoever watches the stream that one of its sessions changed. */
export async function tellStateChange(
  deps: { readonly bus: EventBus },
  session: { readonly channelId: ChannelId; readonly streamId: StreamId },
): Promise<void> {
  const { channelId, streamId } = session;
  await deps.bus.notify(`stream:${channelId}`, JSON.stringify({ kind: 'STATE', streamId }));
}
