import type { EventBus } from '../../bus/port.ts';
import { updateReplayEnded, updateReplayProgress } from '../../db/replay.ts';
import type { ChannelId, SessionId, StreamId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { ReplayFeed, type ReplayFeedDeps } from './feed.ts';

/**
 * How often progress is written and the wish to cancel is read, in milliseconds. Also bounds what a worker that took over
 * repeats: far fewer events than the bus remembers ids, so nobody sees one twice.
 */
const PROGRESS_EVERY_MS = 500;

export interface ReplayWatchDeps extends ReplayFeedDeps {
  readonly logger: Logger;
}

/** A replay's session, as far as running it needs it. */
export interface ReplaySession {
  readonly id: SessionId;
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly speed: number | null;
  /** Events of the original that an earlier run has done. */
  readonly done: number;
}

/** Why a replay's signal aborted when somebody cancelled it. */
class ReplayCancelled extends Error {
  override readonly name = 'ReplayCancelled';
}

/**
 * Runs `work` with a feed for this session; meanwhile writes its progress and stops it when it is cancelled. Ends the
 * session as ENDED or CANCELLED; when `work` fails or `signal` aborts, throws the reason and leaves the session running.
 * `beat` is called with every progress.
 */
export async function runWatched(
  deps: ReplayWatchDeps,
  run: {
    readonly session: ReplaySession;
    readonly signal: AbortSignal;
    readonly beat?: (done: number) => Promise<void>;
  },
  work: (feed: ReplayFeed) => Promise<void>,
): Promise<'ENDED' | 'CANCELLED'> {
  const { session } = run;
  const cancelled = new AbortController();
  const finished = new AbortController();
  const cancel = () => cancelled.abort(new ReplayCancelled());
  const signal = AbortSignal.any([run.signal, cancelled.signal]);
  const { channelId, speed, done } = session;
  const feed = new ReplayFeed(deps, { channelId, speed, signal, done });
  const unlisten = await deps.bus.listen(cancelTopic(session.id), cancel);
  const watching = watchProgress(deps, { ...run, feed, cancel, finished: finished.signal });
  deps.logger.info({ sessionId: session.id, done }, 'replay.started');
  try {
    await work(feed);
    await endReplay(deps, session, { state: 'ENDED', reason: null, done: feed.done });
    return 'ENDED';
  } catch (error) {
    if (!(error instanceof ReplayCancelled)) throw error;
    await endReplay(deps, session, { state: 'CANCELLED', reason: null, done: feed.done });
    return 'CANCELLED';
  } finally {
    finished.abort();
    await watching;
    await unlisten();
  }
}

/** Writes progress and reads the row, in case the notification was missed. Resolves soon after `finished` aborts. */
async function watchProgress(
  deps: ReplayWatchDeps,
  watch: {
    readonly session: ReplaySession;
    readonly feed: ReplayFeed;
    readonly cancel: () => void;
    readonly finished: AbortSignal;
    readonly beat?: (done: number) => Promise<void>;
  },
): Promise<void> {
  const { session, feed, cancel, finished } = watch;
  while (!finished.aborted) {
    try {
      const progress = await updateReplayProgress(deps.db, { sessionId: session.id, done: feed.done });
      if (progress.cancelRequested) cancel();
      await watch.beat?.(feed.done);
    } catch (error) {
      // The feed meets the same database and bus and decides; this loop only reports.
      deps.logger.warn({ err: error, sessionId: session.id }, 'replay.progress_failed');
    }
    await deps.pause(PROGRESS_EVERY_MS, finished);
  }
}

/** Ends a running replay's session and tells who watches. One that has ended already stays as it is. */
export async function endReplay(
  deps: Pick<ReplayWatchDeps, 'db' | 'bus' | 'clock' | 'logger'>,
  session: Pick<ReplaySession, 'id' | 'channelId' | 'streamId'>,
  end: {
    readonly state: 'ENDED' | 'CANCELLED' | 'FAILED';
    readonly reason: string | null;
    /** Null when not known: what was noted before stays. */
    readonly done: number | null;
  },
): Promise<void> {
  await updateReplayEnded(deps.db, { ...end, sessionId: session.id, at: deps.clock.nowMs() });
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
