import type { StateChanges } from '../../bus/port.ts';
import { type EventUser, FOLLOW_ROLES, type UnifiedEventOf } from '../../events/unified-event.ts';
import { parseId, type StreamId } from '../../lib/ids.ts';
import { countOf, idOf, type JsonRecord, NAME_CHARS_MAX, recordOf, textOf, userIdOf } from './reading.ts';

/**
 * The producer state that outlives a session, kept by the bus beside the channel's head:
 *
 * | key | value |
 * |---|---|
 * | `streak:<streakId>` | JSON: stream, running total, arrival; while it is open also what its closing event needs |
 * | `likes` | stream and the like maximum |
 * | `last` | stream and when its last message arrived |
 *
 * Every value names its stream, so what an earlier stream of the channel left is never taken for this one's.
 */
export const STREAK_KEY_PREFIX = 'streak:';
export const LIKES_KEY = 'likes';
export const LAST_KEY = 'last';

/** A gift streak as an earlier session left it. */
interface RestoredStreak {
  readonly streakId: string;
  /** The running total already booked. */
  readonly count: number;
  /** When its last message arrived, milliseconds since the Unix epoch. */
  readonly arrivedAt: number;
  /** The provider itself has ended it. */
  readonly ended: boolean;
  /** What its closing event needs; null when it is closed already. */
  readonly open: StreakDetails | null;
}

/** What a streak's last event said, apart from its counts. */
export interface StreakDetails {
  readonly timestamp: number;
  readonly history: boolean;
  readonly user: EventUser | null;
  readonly giftId: string;
  readonly giftName: string;
  readonly giftImageUrl: string | null;
  readonly diamondCount: number;
  readonly toUserId: string | null;
}

/** What a new normaliser starts from. */
export interface RestoredState {
  /** Oldest first. */
  readonly streaks: readonly RestoredStreak[];
  readonly likesMax: number;
  /** When the last message of this stream arrived; null when unknown. What comes next is after a gap that began here. */
  readonly lastArrivedAt: number | null;
  /** Keys that other streams of the channel left behind: deleted with the first gift. */
  readonly staleKeys: readonly string[];
}

/** A stream never seen before. */
export const NOTHING_RESTORED: RestoredState = {
  streaks: [],
  likesMax: 0,
  lastArrivedAt: null,
  staleKeys: [],
};

interface RestoreSources {
  readonly streamId: StreamId;
  /** @see EventBus.readState */
  readonly busState: ReadonlyMap<string, string>;
  /** The stream's stored LIVE gifts of the last 30 minutes, in any order: for a bus that forgot. */
  readonly storedGifts: readonly UnifiedEventOf<'GIFT'>[];
  /** stream_total.likes_max */
  readonly storedLikesMax: number;
}

/** The state to start from, out of what the bus and the database know: of each streak and of the likes the higher. */
export function restoreState(sources: RestoreSources): RestoredState {
  const { streamId, busState } = sources;
  const streaks = new Map<string, RestoredStreak>();
  const staleKeys: string[] = [];
  for (const [key, text] of busState) {
    if (!key.startsWith(STREAK_KEY_PREFIX)) continue;
    const streak = decodeStreak(streamId, key.slice(STREAK_KEY_PREFIX.length), text);
    if (streak === null) staleKeys.push(key);
    else streaks.set(streak.streakId, streak);
  }
  for (const event of sources.storedGifts) {
    if (event.streamId !== streamId || event.source !== 'LIVE' || !event.payload.isGiftStreak) continue;
    const stored = streakOfEvent(event);
    const known = streaks.get(stored.streakId);
    if (known === undefined || isLater(stored, known)) streaks.set(stored.streakId, stored);
  }
  const busLikes = decodeMark(streamId, busState.get(LIKES_KEY));
  return {
    streaks: [...streaks.values()].sort((a, b) => a.arrivedAt - b.arrivedAt),
    likesMax: Math.max(busLikes ?? 0, sources.storedLikesMax),
    lastArrivedAt: decodeMark(streamId, busState.get(LAST_KEY)),
    staleKeys,
  };
}

/** Of two states of a streak the one with more gifts; with as many, the closed one. */
function isLater(candidate: RestoredStreak, known: RestoredStreak): boolean {
  if (candidate.count !== known.count) return candidate.count > known.count;
  return known.open !== null && candidate.open === null;
}

function streakOfEvent(event: UnifiedEventOf<'GIFT'>): RestoredStreak {
  const { payload } = event;
  const open = {
    timestamp: event.timestamp,
    history: event.history,
    user: event.user,
    giftId: payload.giftId,
    giftName: payload.giftName,
    giftImageUrl: payload.giftImageUrl,
    diamondCount: payload.diamondCount,
    toUserId: payload.toUserId,
  };
  return {
    streakId: payload.streakId,
    count: payload.streakCount,
    arrivedAt: event.ingestedAt,
    // Whether the provider or we closed it is not stored: taken for ours, a later step opens it again.
    ended: false,
    open: payload.streakActive ? open : null,
  };
}

/** The value of a streak's key. An open one's holds its giver, as the events on the bus do; a closed one's holds nobody. */
export function encodeStreak(
  streamId: StreamId,
  streak: { count: number; arrivedAt: number; ended: boolean },
  open: StreakDetails | null,
): string {
  const { count, arrivedAt, ended } = streak;
  return JSON.stringify(
    open === null ? { streamId, count, arrivedAt, ended } : { streamId, count, arrivedAt, ended, open },
  );
}

/** Null for another stream's, and for what this version cannot read. */
function decodeStreak(streamId: StreamId, streakId: string, text: string): RestoredStreak | null {
  const value = parsedRecord(text);
  const count = countOf(value.count, Number.MAX_SAFE_INTEGER);
  const arrivedAt = countOf(value.arrivedAt, Number.MAX_SAFE_INTEGER);
  if (value.streamId !== streamId || count === 0 || arrivedAt === 0) return null;
  const open = value.open === undefined ? null : decodeDetails(recordOf(value.open));
  return { streakId, count, arrivedAt, ended: value.ended === true, open };
}

function decodeDetails(value: JsonRecord): StreakDetails {
  return {
    timestamp: countOf(value.timestamp, Number.MAX_SAFE_INTEGER),
    history: value.history === true,
    user: decodeUser(recordOf(value.user)),
    giftId: idOf(value.giftId),
    giftName: textOf(value.giftName, NAME_CHARS_MAX),
    giftImageUrl: typeof value.giftImageUrl === 'string' ? value.giftImageUrl : null,
    diamondCount: countOf(value.diamondCount, Number.MAX_SAFE_INTEGER),
    toUserId: userIdOf(value.toUserId),
  };
}

function decodeUser(value: JsonRecord): EventUser | null {
  const userId = userIdOf(value.userId);
  if (userId === null) return null;
  return {
    userId,
    uniqueId: textOf(value.uniqueId, NAME_CHARS_MAX),
    displayName: textOf(value.displayName, NAME_CHARS_MAX),
    avatarUrl: typeof value.avatarUrl === 'string' ? value.avatarUrl : null,
    followRole: FOLLOW_ROLES.find((role) => role === value.followRole) ?? 'NONE',
    isModerator: value.isModerator === true,
    isSubscriber: value.isSubscriber === true,
    teamMemberLevel: countOf(value.teamMemberLevel, Number.MAX_SAFE_INTEGER),
  };
}

/** When the last message of a stream of the channel arrived, as the bus's producer state tells it. */
export function lastArrival(
  busState: ReadonlyMap<string, string>,
): { readonly streamId: StreamId; readonly at: number } | null {
  const text = busState.get(LAST_KEY);
  const streamId = parseId('stream', text?.split(' ', 1)[0] ?? '');
  const at = streamId === undefined ? null : decodeMark(streamId, text);
  return streamId === undefined || at === null ? null : { streamId, at };
}

/** A number of one stream, as `<streamId> <number>`. */
export function encodeMark(streamId: StreamId, value: number): string {
  return `${streamId} ${value}`;
}

function decodeMark(streamId: StreamId, text: string | undefined): number | null {
  if (text === undefined || !text.startsWith(`${streamId} `)) return null;
  return countOf(text.slice(streamId.length + 1), Number.MAX_SAFE_INTEGER) || null;
}

function parsedRecord(text: string): JsonRecord {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return {}; // not ours or damaged: as good as none
  }
}

/** One change that does what `changes` do one after the other; undefined when they do nothing. */
export function mergeStateChanges(changes: Iterable<StateChanges | undefined>): StateChanges | undefined {
  const merged = new Map<string, string | null>();
  for (const change of changes) {
    if (change === undefined) continue;
    for (const key of change.delete ?? []) merged.set(key, null);
    for (const [key, value] of Object.entries(change.set ?? {})) merged.set(key, value);
  }
  if (merged.size === 0) return undefined;
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const [key, value] of merged) {
    if (value === null) remove.push(key);
    else set[key] = value;
  }
  return { set, delete: remove };
}
