import DataLoader from 'dataloader';
import type { Loaders, Services } from '../context.ts';
import { selectChannels } from '../db/channel.ts';
import { selectSessions } from '../db/session.ts';
import { selectLatestStreams, selectStreams } from '../db/stream.ts';
import { selectGaps } from '../db/stream-gap.ts';
import { streamTotals } from '../events/stream-stats.ts';
import type { ChannelId, GapId, MemberId, SessionId, StreamId } from '../lib/ids.ts';
import { loadMembers, loadMembersByUser, type UserKey } from '../live/audience.ts';

/** Keys of one statement at most. */
const BATCH_KEYS_MAX = 500;

/** One request's loaders: each collects what is asked for at the same time into one statement. */
export function createLoaders(services: Pick<Services, 'db' | 'vault'>): Loaders {
  const { db } = services;
  const channels = loader(
    (ids: readonly ChannelId[]) => selectChannels(db, ids),
    ({ id }) => id,
  );
  const streams = loader(
    (ids: readonly StreamId[]) => selectStreams(db, ids),
    ({ id }) => id,
  );
  const latestStreams = loader(
    (ids: readonly ChannelId[]) => selectLatestStreams(db, ids),
    ({ channelId }) => channelId,
  );
  const sessions = loader(
    (ids: readonly SessionId[]) => selectSessions(db, ids),
    ({ id }) => id,
  );
  const gaps = loader(
    (ids: readonly GapId[]) => selectGaps(db, ids),
    ({ id }) => id,
  );
  const totals = loader(
    async (ids: readonly StreamId[]) => [...(await streamTotals(services, ids)).values()],
    ({ streamId }) => streamId,
  );
  const members = loader(
    (ids: readonly MemberId[]) => loadMembers(services, ids),
    ({ id }) => id,
  );
  const membersByUser = new DataLoader((keys: readonly UserKey[]) => loadMembersByUser(services, keys), {
    cacheKeyFn: ({ channelId, provider, userId }) => `${channelId} ${provider} ${userId}`,
    maxBatchSize: BATCH_KEYS_MAX,
  });
  const all = [channels, streams, latestStreams, sessions, gaps, totals, members, membersByUser];
  return {
    channels,
    streams,
    latestStreams,
    sessions,
    gaps,
    streamTotals: totals,
    members,
    membersByUser,
    clear: () => {
      for (const each of all) each.clearAll();
    },
  };
}

/** A loader over a statement that gives the rows it finds in any order. */
function loader<K, V>(
  select: (keys: readonly K[]) => Promise<readonly V[]>,
  keyOf: (row: V) => K,
): DataLoader<K, V | null> {
  return new DataLoader<K, V | null>(
    async (keys) => {
      const rows = new Map((await select(keys)).map((row) => [keyOf(row), row]));
      return keys.map((key) => rows.get(key) ?? null);
    },
    { maxBatchSize: BATCH_KEYS_MAX },
  );
}
