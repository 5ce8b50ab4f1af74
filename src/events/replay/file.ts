import type { Lease } from '../../bus/port.ts';
import { selectChannels } from '../../db/channel.ts';
import {
  insertReplaySession,
  selectFileReplays,
  updateReplayTotal,
  upsertFixtureStream,
} from '../../db/replay.ts';
import { createNormaliser, type NormalisedBatch } from '../../ingest/normalise/normaliser.ts';
import { NOTHING_RESTORED } from '../../ingest/normalise/normaliser-state.ts';
import { assert } from '../../lib/assert.ts';
import { type ChannelId, newId, type SessionId, type StreamId } from '../../lib/ids.ts';
import type { Vault } from '../../privacy/vault.ts';
import { ensurePartitionsAround } from '../partitions.ts';
import type { Provider } from '../unified-event.ts';
import { NoEventsError, requireReplaySpeed } from './errors.ts';
import type { ReplayFeed } from './feed.ts';
import { inspectFixture, readFixture } from './fixture.ts';
import { endReplay, type ReplayWatchDeps, runWatched, tellStateChange } from './watch.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Who replays a file says so by a lease, renewed with every progress: without one the replay's process has died. */
const LEASE_TTL_MS = 15_000;

export interface ReplayFileDeps extends ReplayWatchDeps {
  readonly vault: Vault;
}

/** What a file replay came to. */
export interface FileReplay {
  readonly sessionId: SessionId;
  readonly streamId: StreamId;
  readonly state: 'ENDED' | 'CANCELLED';
  /** Messages read, blank lines not counted. */
  readonly messages: number;
}

/**
 * Ingests a fixture file (`.ndjson`, a provider message per line) as a new session (source REPLAY) of a stream that belongs
 * to the file (`fixture:` and its sha256). It is read through once before anything is published, so a broken line leaves nothing
 * behind. Times are the messages' own. Runs in the calling process; a storage worker must be running somewhere.
 * `onProgress` gets messages done and in all, about twice a second. Aborting `signal` cancels.
 * @throws FixtureFileError
 * @throws FixtureLineError
 * @throws FixtureSpanError
 * @throws ReplaySpeedError
 * @throws NoEventsError when the file has no message.
 */
export async function replayFile(
  deps: ReplayFileDeps,
  replay: {
    readonly path: string;
    readonly channelId: ChannelId;
    /** Times real speed; null: as fast as possible. */
    readonly speed: number | null;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
  },
): Promise<FileReplay> {
  const { path, channelId, speed } = replay;
  requireReplaySpeed(speed);
  const [channel] = await selectChannels(deps.db, [channelId]);
  assert(channel !== undefined, 'the channel of a file replay exists');
  const startedAt = deps.clock.nowMs();
  const file = await inspectFixture(path, startedAt);
  if (file.messages === 0) throw new NoEventsError();
  for (const day of file.days) await ensurePartitionsAround(deps, day * DAY_MS);
  const { provider } = channel;
  const ids = await makeSession(deps, {
    channelId,
    provider,
    sha256: file.sha256,
    speed,
    total: file.messages,
  });
  const session = { id: ids.sessionId, streamId: ids.streamId, channelId, speed, done: 0 };
  const lease = await deps.bus.acquireLease(leaseOf(session.id, 'replay'));
  assert(lease !== null, 'nobody else knows the new session');
  const beat = async (done: number) => {
    await lease.renew();
    replay.onProgress({ done, total: file.messages });
  };
  try {
    const state = await runWatched(deps, { session, signal: replay.signal, beat }, (feed) =>
      feedFile(deps, { path, provider, startedAt, session, feed }),
    );
    if (state === 'ENDED') replay.onProgress({ done: file.messages, total: file.messages });
    return { ...ids, state, messages: file.messages };
  } catch (error) {
    const reason = replay.signal.aborted ? null : 'The replay of the file failed.';
    await endReplay(deps, session, { state: reason === null ? 'CANCELLED' : 'FAILED', reason, done: null });
    if (reason === null) return { ...ids, state: 'CANCELLED', messages: file.messages };
    throw error;
  } finally {
    await lease.release();
  }
}

/** Ends file replays whose process died: nobody can go on with them, since the file was theirs. Returns how many. */
export async function failOrphanedFileReplays(deps: ReplayWatchDeps): Promise<number> {
  let failed = 0;
  for (const session of await selectFileReplays(deps.db)) {
    const lease: Lease | null = await deps.bus.acquireLease(leaseOf(session.id, 'search for the dead'));
    if (lease === null) continue; // its process lives
    await endReplay(deps, session, {
      state: 'FAILED',
      reason: 'The process that replayed the file ended.',
      done: null,
    });
    await lease.release();
    failed += 1;
  }
  return failed;
}

/** Owners differ, since one may always take its own lease again. */
function leaseOf(sessionId: SessionId, holder: 'replay' | 'search for the dead') {
  return { name: `replay:${sessionId}`, ownerId: `${holder} ${sessionId}`, ttlMs: LEASE_TTL_MS };
}

async function makeSession(
  deps: ReplayFileDeps,
  file: {
    readonly channelId: ChannelId;
    readonly provider: Provider;
    readonly sha256: string;
    readonly speed: number | null;
    readonly total: number;
  },
): Promise<{ readonly streamId: StreamId; readonly sessionId: SessionId }> {
  const { channelId, provider, speed } = file;
  const at = deps.clock.nowMs();
  const ids = await deps.db.transaction().execute(async (tx) => {
    const stream = { id: newId('stream', at), channelId, provider, externalId: `fixture:${file.sha256}`, at };
    const streamId = await upsertFixtureStream(tx, stream);
    const sessionId = newId('session', at);
    await insertReplaySession(tx, { id: sessionId, streamId, channelId, of: null, speed, at });
    await updateReplayTotal(tx, { sessionId, total: file.total });
    return { streamId, sessionId };
  });
  await tellStateChange(deps, { channelId, streamId: ids.streamId });
  return ids;
}

async function feedFile(
  deps: ReplayFileDeps,
  file: {
    readonly path: string;
    readonly provider: Provider;
    readonly startedAt: number;
    readonly session: { readonly id: SessionId; readonly channelId: ChannelId; readonly streamId: StreamId };
    readonly feed: ReplayFeed;
  },
): Promise<void> {
  const { session, feed } = file;
  const { channelId } = session;
  const normaliser = createNormaliser({
    channelId,
    streamId: session.streamId,
    sessionId: session.id,
    provider: file.provider,
    source: 'REPLAY',
    clock: deps.clock,
    pseudonym: (value) => deps.vault.pseudonym({ channelId, value }),
    restored: NOTHING_RESTORED,
    development: false,
  });
  const add = async (batch: NormalisedBatch, happenedAt: number | null) => {
    for (const letter of batch.undecodable) {
      const message = Buffer.from(letter.bytes).toString('base64');
      const at = deps.clock.nowMs();
      await deps.bus.addDeadLetter({
        at,
        group: 'ingest',
        reason: letter.error,
        attempts: 1,
        channelId,
        message,
      });
    }
    for (const { draft } of batch.items) await feed.add(draft, happenedAt);
  };
  for await (const message of readFixture(file.path, file.startedAt)) {
    const { receivedAt, history } = message;
    await add(normaliser.tick(receivedAt), null);
    await add(normaliser.accept([message]), history ? null : receivedAt);
    feed.count();
  }
  await add(normaliser.finish(), null);
  await feed.flush();
}
