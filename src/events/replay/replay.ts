import type { Kysely } from 'kysely';
import type { EventBus } from '../../bus/port.ts';
import type { Database } from '../../db/connect.ts';
import { hasSessionEvents, insertReplaySession, requestReplayCancel } from '../../db/replay.ts';
import { selectSessions } from '../../db/session.ts';
import type { JobKind, JobQueue } from '../../jobs/job-queue.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { newId, parseId, type SessionId } from '../../lib/ids.ts';
import {
  NoEventsError,
  ReplayNotRunningError,
  requireReplaySpeed,
  SessionNotFoundError,
  SessionStillLiveError,
} from './errors.ts';
import { type ReplayRunDeps, runReplay } from './run.ts';
import { cancelTopic, endReplay, tellStateChange } from './watch.ts';

/** Replays one worker process runs at a time. */
const REPLAYS_PER_WORKER = 4;

/** The job that runs a replay. Tried again when its worker dies; it then goes on where it was. */
export const REPLAY_JOB: JobKind<{ readonly sessionId: SessionId }> = {
  name: 'replay',
  parse: (data) => {
    const text =
      typeof data === 'object' && data !== null && 'sessionId' in data ? String(data.sessionId) : '';
    const sessionId = parseId('session', text);
    assert(sessionId !== undefined, 'a replay job names its session');
    return { sessionId };
  },
  retriesMax: 8,
  retryDelaySeconds: 1,
  retryDelayMaxSeconds: 60,
  runSecondsMax: 24 * 60 * 60,
};

export interface ReplayRequestDeps {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly jobs: JobQueue;
  readonly clock: Clock;
}

/**
 * Has a stored session replayed as a new session (source REPLAY) of the same stream by a worker: at `speed` times its own
 * speed or, when null, as fast as possible. Returns the new session's id at once; its row tells how far it is.
 * A replay may be replayed as well.
 * @throws SessionNotFoundError
 * @throws SessionStillLiveError
 * @throws NoEventsError
 * @throws ReplaySpeedError
 */
export async function requestReplay(
  deps: ReplayRequestDeps,
  request: { readonly sessionId: SessionId; readonly speed: number | null },
): Promise<SessionId> {
  const { speed } = request;
  requireReplaySpeed(speed);
  const [original] = await selectSessions(deps.db, [request.sessionId]);
  if (original === undefined) throw new SessionNotFoundError(request.sessionId);
  if (original.state === 'LIVE' || original.state === 'STALLED') throw new SessionStillLiveError(original.id);
  if (!(await hasSessionEvents(deps.db, original.id))) throw new NoEventsError();
  const at = deps.clock.nowMs();
  const sessionId = newId('session', at);
  const { streamId, channelId } = original;
  await deps.db.transaction().execute(async (tx) => {
    await insertReplaySession(tx, { id: sessionId, streamId, channelId, of: original.id, speed, at });
    await deps.jobs.enqueue(tx, REPLAY_JOB, { sessionId });
  });
  await tellStateChange(deps, original);
  return sessionId;
}

/**
 * Stops a running replay within a second: what has been replayed stays, the session ends as CANCELLED.
 * @throws ReplayNotRunningError
 */
export async function cancelReplay(
  deps: Omit<ReplayRequestDeps, 'jobs'>,
  cancel: { readonly sessionId: SessionId },
): Promise<void> {
  const { sessionId } = cancel;
  const session = await requestReplayCancel(deps.db, { sessionId, at: deps.clock.nowMs() });
  if (session === undefined) throw new ReplayNotRunningError(sessionId);
  await deps.bus.notify(cancelTopic(sessionId), '');
  await tellStateChange(deps, session);
}

/** Runs requested replays in this process until `jobs` stops. */
export async function workReplays(deps: ReplayRunDeps & { readonly jobs: JobQueue }): Promise<void> {
  await deps.jobs.work(REPLAY_JOB, {
    concurrency: REPLAYS_PER_WORKER,
    run: ({ sessionId }, { signal }) => runReplay(deps, { sessionId, signal }),
    givenUp: async ({ sessionId }) => {
      const [session] = await selectSessions(deps.db, [sessionId]);
      if (session === undefined) return;
      const reason = 'The replay failed several times and was given up. The log of the worker says why.';
      await endReplay(deps, session, { state: 'FAILED', reason, done: null });
    },
  });
}
