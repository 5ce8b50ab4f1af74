import { parseId } from '../../lib/ids.ts';
import { FOLLOW_ROLES, PROVIDERS, TRIGGER_IDS, type UnifiedEvent } from '../unified-event.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** How far a clock may be ahead of ours. */
const AHEAD_MAX_MS = DAY_MS;
/** How much older than its arrival a live event may be. Every day that we accept costs a partition. */
const LIVE_AGE_MAX_MS = 30 * DAY_MS;
/** Nothing was streamed before: replays and recordings cannot be older. TikTok opened in September 2016. */
const EARLIEST_MS = Date.UTC(2016, 8, 1);
const INT4_MAX = 2 ** 31 - 1;
/** More than any stream will ever count in one event, and little enough that a million such still fit a rollup. */
const COUNT_MAX = 1_000_000_000_000;

/**
 * Why the event can never be stored, in words without any of its content; null when nothing speaks against it. What
 * only the database can judge is left to it.
 */
export function refusalReason(event: UnifiedEvent, nowMs: number): string | null {
  if (event.schemaVersion !== '1') return 'unknown schema version';
  if (TRIGGER_IDS[event.eventType] !== event.triggerId) return 'unknown event type';
  if (!/^[0-9a-f]{64}$/.test(event.eventId)) return 'malformed event id';
  if (parseId('channel', event.channelId) === undefined) return 'malformed channel id';
  if (parseId('stream', event.streamId) === undefined) return 'malformed stream id';
  if (parseId('session', event.sessionId) === undefined) return 'malformed session id';
  if (!PROVIDERS.includes(event.provider)) return 'unknown provider';
  if (!Number.isSafeInteger(event.sequence) || event.sequence < 1) return 'malformed sequence';
  return timeRefusal(event, nowMs) ?? userRefusal(event) ?? countRefusal(event);
}

function timeRefusal(event: UnifiedEvent, nowMs: number): string | null {
  const { timestamp, ingestedAt } = event;
  if (!Number.isSafeInteger(ingestedAt) || ingestedAt < EARLIEST_MS || ingestedAt > nowMs + AHEAD_MAX_MS) {
    return 'arrival time out of range';
  }
  if (!Number.isSafeInteger(timestamp) || timestamp > ingestedAt + AHEAD_MAX_MS)
    return 'event time out of range';
  switch (event.source) {
    case 'LIVE':
      return timestamp < ingestedAt - LIVE_AGE_MAX_MS ? 'event time out of range' : null;
    case 'REPLAY':
      return timestamp < EARLIEST_MS ? 'event time out of range' : null;
    default:
      return 'unknown source';
  }
}

function userRefusal({ user }: UnifiedEvent): string | null {
  if (user === null) return null;
  if (typeof user.userId !== 'string' || user.userId === '') return 'malformed user';
  if (typeof user.uniqueId !== 'string' || typeof user.displayName !== 'string') return 'malformed user';
  if (!FOLLOW_ROLES.includes(user.followRole)) return 'malformed user';
  if (!isCount(user.teamMemberLevel) || user.teamMemberLevel > INT4_MAX) return 'malformed user';
  return null;
}

/** The counts that rollups are made of: whole and not negative, so that no sum is ever wrong. */
function countRefusal(event: UnifiedEvent): string | null {
  switch (event.eventType) {
    case 'GIFT': {
      const { giftCount, coins, diamondCount, streakCount, streakCoins } = event.payload;
      return [giftCount, coins, diamondCount, streakCount, streakCoins].every(isCount)
        ? null
        : 'malformed gift counts';
    }
    case 'LIKE':
      return isCount(event.payload.likeCount) && isCount(event.payload.totalLikeCount)
        ? null
        : 'malformed like counts';
    case 'JOIN':
      return isCount(event.payload.joinCount) ? null : 'malformed join count';
    case 'ROOM_USER':
      return isCount(event.payload.viewerCount) ? null : 'malformed viewer count';
    default:
      return null;
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= COUNT_MAX;
}
