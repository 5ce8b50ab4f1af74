import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { type EventRow, type MemberRow, selectEventPage, selectMembers } from '../db/event-history.ts';
import {
  type EventPayloads,
  type EventUser,
  TRIGGER_IDS,
  type UnifiedEventOf,
} from '../events/unified-event.ts';
import type { ChannelId, StreamId } from '../lib/ids.ts';
import { type SubjectId, sealContext } from '../privacy/context.ts';
import { type DataKey, open } from '../privacy/envelope.ts';
import type { Vault } from '../privacy/vault.ts';

/** A streak that has been quiet for longer is over, whatever comes. */
const STREAK_MS_MAX = 30 * 60 * 1000;

/** The newest gifts looked at: more than a gift storm brings while streaks are open. */
const GIFTS_MAX = 2_000;

/**
 * The stream's gifts of the last half hour as they were published, for a bus that forgot its producer state. A giver or
 * receiver who was erased since is left out.
 */
export async function readStoredGifts(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault },
  query: { readonly channelId: ChannelId; readonly streamId: StreamId; readonly nowMs: number },
): Promise<readonly UnifiedEventOf<'GIFT'>[]> {
  const rows = await selectEventPage(deps.db, {
    channelId: query.channelId,
    streamId: query.streamId,
    sessionId: null,
    memberId: null,
    triggerIds: [TRIGGER_IDS.GIFT],
    coinsMin: null,
    from: query.nowMs - STREAK_MS_MAX,
    to: null,
    after: null,
    replays: false,
    order: 'DESC',
    rowsMax: GIFTS_MAX,
    personal: true,
  });
  const memberIds = [...new Set(rows.flatMap((row) => row.memberId ?? []))];
  const subjectIds = new Set<SubjectId>([...memberIds, ...rows.flatMap((row) => row.subjectId ?? [])]);
  const [members, keys] = await Promise.all([
    selectMembers(deps.db, memberIds),
    deps.vault.dataKeys([...subjectIds], { create: false }),
  ]);
  return rows.map((row) => giftOf(row, members, keys));
}

function giftOf(
  row: EventRow,
  members: ReadonlyMap<SubjectId, MemberRow>,
  keys: ReadonlyMap<SubjectId, DataKey>,
): UnifiedEventOf<'GIFT'> {
  const member = row.memberId === null ? undefined : members.get(row.memberId);
  return {
    schemaVersion: '1',
    eventId: row.eventId,
    eventType: 'GIFT',
    triggerId: TRIGGER_IDS.GIFT,
    provider: row.provider,
    channelId: row.channelId,
    streamId: row.streamId,
    sessionId: row.sessionId,
    sequence: row.sequence,
    timestamp: row.occurredAt,
    ingestedAt: row.ingestedAt,
    source: row.source,
    history: row.history,
    user: member === undefined ? null : userOf(member, keys.get(member.id)),
    // The storage worker stores a payload in two parts, which laid over each other are the payload again.
    payload: { toUserId: null, ...row.payload, ...personalOf(row, keys) } as EventPayloads['GIFT'],
  };
}

function personalOf(row: EventRow, keys: ReadonlyMap<SubjectId, DataKey>): object {
  const key = row.subjectId === null ? undefined : keys.get(row.subjectId);
  if (row.personal === null || key === undefined) return {};
  return parsed(open(key, sealContext.event(row.eventId), row.personal));
}

function userOf(member: MemberRow, key: DataKey | undefined): EventUser | null {
  if (key === undefined) return null;
  const { followRole, isModerator, isSubscriber, teamMemberLevel } = member;
  // Sealed by the storage worker with these fields, and authenticated since.
  const profile = parsed(open(key, sealContext.profile(member.id), member.profile)) as Pick<
    EventUser,
    'userId' | 'uniqueId' | 'displayName' | 'avatarUrl'
  >;
  return { ...profile, followRole, isModerator, isSubscriber, teamMemberLevel };
}

function parsed(text: Buffer): object {
  return JSON.parse(text.toString('utf8')); // our own, authenticated
}
