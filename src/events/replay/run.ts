import { createHash } from 'node:crypto';
import { type EventPageQuery, type EventRow, selectEventPage } from '../../db/event-history.ts';
import { countSessionEvents, selectSessionPlace, updateReplayTotal } from '../../db/replay.ts';
import { selectSessions } from '../../db/session.ts';
import type { ChannelId, SessionId } from '../../lib/ids.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { EventCursor } from '../event-cursor.ts';
import { eventId } from '../event-id.ts';
import { openEvents, type StoredEvent } from '../stored-event.ts';
import type { EventDraft, UnifiedEvent } from '../unified-event.ts';
import type { ReplayFeed } from './feed.ts';
import { type ReplaySession, type ReplayWatchDeps, runWatched } from './watch.ts';

/** Stored events read and decrypted in one go. */
const READ_EVENTS = 500;

export interface ReplayRunDeps extends ReplayWatchDeps {
  readonly vault: Vault;
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
  const [row] = await selectSessions(deps.db, [run.sessionId]);
  if (row?.replay == null || row.state !== 'LIVE') return;
  const { of, speed, eventsDone } = row.replay;
  const total = await countSessionEvents(deps.db, of);
  if (!(await updateReplayTotal(deps.db, { sessionId: row.id, total }))) return;
  const { id, channelId, streamId } = row;
  const session = { id, channelId, streamId, speed, done: eventsDone };
  await runWatched(deps, { session, signal: run.signal }, (feed) => feedSession(deps, { session, of, feed }));
}

async function feedSession(
  deps: ReplayRunDeps,
  replay: { readonly session: ReplaySession; readonly of: SessionId; readonly feed: ReplayFeed },
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
      if (hasWords(item)) await feed.add(replayDraft(item.event, session.id), happenedAt(item.event));
      feed.count();
    }
    await feed.flush();
    const last = rows.at(-1);
    if (last === undefined || rows.length < READ_EVENTS) return;
    after = last;
  }
}

/** What the room repeated at the connect was all there at once, however old it is. */
function happenedAt(event: UnifiedEvent): number | null {
  return event.history ? null : event.timestamp;
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
function replayDraft(event: UnifiedEvent, sessionId: SessionId): EventDraft {
  const { sequence: _givenByTheBus, ...original } = event;
  const draft = {
    ...original,
    eventId: eventId({
      provider: event.provider,
      streamId: event.streamId,
      sessionId,
      messageId: event.eventId,
      localSequence: 0,
      rawType: event.eventType,
      source: 'REPLAY',
    }),
    sessionId,
    source: 'REPLAY',
  } as EventDraft; // an event without its sequence, other ids in place
  if (draft.eventType !== 'GIFT') return draft;
  const streakId = createHash('sha256')
    .update(`${sessionId}\n${draft.payload.streakId}`)
    .digest('hex')
    .slice(0, 32);
  return { ...draft, payload: { ...draft.payload, streakId } };
}
