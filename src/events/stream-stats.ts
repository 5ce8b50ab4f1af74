import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { selectMembers } from '../db/event-history.ts';
import {
  type GifterPlace,
  type StreamMinuteRow,
  type StreamTotalRow,
  selectStreamGifters,
  selectStreamMinutes,
  selectStreamTotals,
} from '../db/stream-stats.ts';
import { assert } from '../lib/assert.ts';
import { type MemberId, parseId, type StreamId } from '../lib/ids.ts';
import type { Vault } from '../privacy/vault.ts';
import { openProfile } from './stored-event.ts';
import type { EventUser } from './unified-event.ts';

/** Gifters at most on one page. */
export const PAGE_GIFTERS_MAX = 100;
/** Minutes at most in one answer: a day of them. */
export const STREAM_MINUTES_MAX = 24 * 60;

/** What a stream has come to so far. */
export type StreamTotals = StreamTotalRow;
/** What happened in one minute of a stream. */
export type StreamMinute = StreamMinuteRow;

/**
 * The totals of the streams, by id, from the rollup: one row per stream, however many events it had. Every stream asked for
 * has an entry; one without stored events has zeros.
 */
export async function streamTotals(
  deps: { readonly db: Kysely<Database> },
  streamIds: readonly StreamId[],
): Promise<ReadonlyMap<StreamId, StreamTotals>> {
  const rows = await selectStreamTotals(deps.db, streamIds);
  const totals = new Map<StreamId, StreamTotals>(
    streamIds.map((streamId) => [streamId, { streamId, ...NOTHING }]),
  );
  for (const row of rows) totals.set(row.streamId, row);
  return totals;
}

const NOTHING: Omit<StreamTotals, 'streamId'> = {
  events: 0,
  chats: 0,
  gifts: 0,
  coins: 0,
  likesSampled: 0,
  likesMax: 0,
  follows: 0,
  shares: 0,
  joins: 0,
  subscribes: 0,
  viewersNow: 0,
  viewersMax: 0,
  lastSequence: 0,
  lastEventAt: null,
};

/**
 * The minutes in which something happened from `from` on and before `to` (milliseconds since the Unix epoch), oldest first,
 * `STREAM_MINUTES_MAX` at most; quiet minutes are left out.
 */
export async function streamMinutes(
  deps: { readonly db: Kysely<Database> },
  query: { readonly streamId: StreamId; readonly from: number; readonly to: number },
): Promise<readonly StreamMinute[]> {
  return selectStreamMinutes(deps.db, { ...query, rowsMax: STREAM_MINUTES_MAX });
}

/** What one person gave during a stream. */
export interface Gifter {
  readonly memberId: MemberId;
  /** Null when erased, or when users were not asked for. What they gave still counts. */
  readonly user: EventUser | null;
  readonly gifts: number;
  readonly coins: number;
  readonly lastGiftAt: number;
}

export interface GifterPage {
  readonly items: readonly Gifter[];
  readonly hasMore: boolean;
}

/** A page of a stream's gifters, most coins first. `users: false` spares the decryption of names. */
export async function topGifters(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault },
  query: {
    readonly streamId: StreamId;
    /** 1 to `PAGE_GIFTERS_MAX`. */
    readonly first: number;
    readonly after?: GifterPlace;
    readonly users?: boolean;
  },
): Promise<GifterPage> {
  const { streamId, first, after = null } = query;
  assert(first >= 1 && first <= PAGE_GIFTERS_MAX, `a page has 1 to ${PAGE_GIFTERS_MAX} gifters`);
  const rows = await selectStreamGifters(deps.db, { streamId, after, rowsMax: first + 1 });
  const page = rows.slice(0, first);
  const users =
    query.users === false
      ? new Map()
      : await openUsers(
          deps,
          page.map((row) => row.memberId),
        );
  const items = page.map((row) => ({ ...row, user: users.get(row.memberId) ?? null }));
  return { items, hasMore: rows.length > first };
}

async function openUsers(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault },
  memberIds: readonly MemberId[],
): Promise<ReadonlyMap<MemberId, EventUser>> {
  const [members, keys] = await Promise.all([
    selectMembers(deps.db, memberIds),
    deps.vault.dataKeys(memberIds, { create: false }),
  ]);
  const users = new Map<MemberId, EventUser>();
  for (const member of members.values()) {
    const user = openProfile(member, keys.get(member.id));
    if (user !== null) users.set(member.id, user);
  }
  return users;
}

/** A gifter's place as opaque text for a client to continue from. */
export function encodeGifterCursor(place: GifterPlace): string {
  return Buffer.from(`g1:${place.coins}:${place.memberId}`).toString('base64url');
}

/** The place behind `text`, or undefined when it is not one of ours. */
export function decodeGifterCursor(text: string): GifterPlace | undefined {
  const match = /^g1:(\d{1,15}):(\w+)$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
  const memberId = parseId('member', match?.[2] ?? '');
  if (match === null || memberId === undefined) return undefined;
  const place = { coins: Number(match[1]), memberId };
  return encodeGifterCursor(place) === text ? place : undefined;
}
