import type { Kysely } from 'kysely';
import type { Database } from '../db/connect.ts';
import { type EventRow, type MemberRow, selectMembers } from '../db/event-history.ts';
import { assert } from '../lib/assert.ts';
import type { MemberId } from '../lib/ids.ts';
import { type SubjectId, sealContext } from '../privacy/context.ts';
import { type DataKey, open, SealBrokenError } from '../privacy/envelope.ts';
import type { Vault } from '../privacy/vault.ts';
import type { MemberProfile } from './member-profile.ts';
import {
  EVENT_TYPES,
  type EventType,
  type EventUser,
  TRIGGER_IDS,
  type UnifiedEvent,
} from './unified-event.ts';

/** What became of the personal part of an event's payload: the words, the receivers, the raw data. */
export const PERSONAL_STATES = [
  'READABLE', // there, or the event never had any
  'NOT_ASKED', // the query did not want it
  'REDACTED', // the provider deleted this person's messages
  'ERASED', // the key is destroyed: nobody can read it any more
  'DAMAGED', // not what was sealed: changed, or moved from another event
] as const;
export type PersonalState = (typeof PERSONAL_STATES)[number];

/** An event of the history. It counts whether or not it can still be read. */
export interface StoredEvent {
  /** `user` is null for an event without a person, an erased person, or when people were not asked for. */
  readonly event: UnifiedEvent;
  /** Who did it, also when erased since. */
  readonly memberId: MemberId | null;
  /** Unless READABLE, the payload's personal fields are empty: `''`, `[]` or null by their type. */
  readonly personal: PersonalState;
  /** `personal` is REDACTED. */
  readonly redacted: boolean;
}

/** Which sealed things to open: each costs a key per person and time. */
export interface SealedFields {
  /** Names, handles, avatars: `event.user`. */
  readonly users: boolean;
  /** The personal part of payloads. */
  readonly texts: boolean;
}

/**
 * Opens rows of the history: the members' profiles and the personal payloads, in two round trips at most for all of
 * them together. What cannot be read any more is left empty and said so.
 */
export async function openEvents(
  deps: { readonly db: Kysely<Database>; readonly vault: Vault },
  rows: readonly EventRow[],
  fields: SealedFields,
): Promise<readonly StoredEvent[]> {
  const memberIds = fields.users ? [...new Set(rows.flatMap((row) => row.memberId ?? []))] : [];
  const subjectIds = new Set<SubjectId>(memberIds);
  for (const row of fields.texts ? rows : []) {
    if (row.personal !== null && !row.redacted && row.subjectId !== null) subjectIds.add(row.subjectId);
  }
  const [members, keys] = await Promise.all([
    selectMembers(deps.db, memberIds),
    deps.vault.dataKeys([...subjectIds], { create: false }),
  ]);
  const users = new Map<MemberId, EventUser>();
  for (const member of members.values()) {
    const user = openProfile(member, keys.get(member.id));
    if (user !== null) users.set(member.id, user);
  }
  return rows.map((row) => storedEvent(fields.texts ? row : { ...row, personal: null }, users, keys));
}

/** The member as events name them; null when the key is destroyed or the profile is not what was sealed. */
export function openProfile(member: MemberRow, key: DataKey | undefined): EventUser | null {
  const text = key === undefined ? undefined : openText(key, sealContext.profile(member.id), member.profile);
  if (text === undefined) return null;
  const profile = JSON.parse(text) as MemberProfile; // sealed by the storage worker, authenticated since
  return {
    userId: profile.userId,
    uniqueId: profile.uniqueId,
    displayName: profile.displayName,
    avatarUrl: profile.avatarUrl,
    followRole: member.followRole,
    isModerator: member.isModerator,
    isSubscriber: member.isSubscriber,
    teamMemberLevel: member.teamMemberLevel,
  };
}

function storedEvent(
  row: EventRow,
  users: ReadonlyMap<MemberId, EventUser>,
  keys: ReadonlyMap<SubjectId, DataKey>,
): StoredEvent {
  const eventType = TYPES_BY_TRIGGER.get(row.triggerId);
  assert(eventType !== undefined, `stored trigger id ${row.triggerId} has a type`);
  const { state, values } = openPersonal(row, keys);
  const event = {
    schemaVersion: '1',
    eventId: row.eventId,
    eventType,
    triggerId: row.triggerId,
    provider: row.provider,
    channelId: row.channelId,
    streamId: row.streamId,
    sessionId: row.sessionId,
    sequence: row.sequence,
    timestamp: row.occurredAt,
    ingestedAt: row.ingestedAt,
    source: row.source,
    history: row.history,
    user: row.memberId === null ? null : (users.get(row.memberId) ?? null),
    payload: { ...EMPTY_PERSONAL[eventType], ...row.payload, ...values },
  };
  return {
    event: event as UnifiedEvent, // what the storage worker took apart, put together again
    memberId: row.memberId,
    personal: state,
    redacted: row.redacted,
  };
}

function openPersonal(
  row: EventRow,
  keys: ReadonlyMap<SubjectId, DataKey>,
): { readonly state: PersonalState; readonly values: object } {
  if (row.redacted) return { state: 'REDACTED', values: {} };
  if (!row.hasPersonal) return { state: 'READABLE', values: {} };
  if (row.personal === null || row.subjectId === null) return { state: 'NOT_ASKED', values: {} };
  const key = keys.get(row.subjectId);
  if (key === undefined) return { state: 'ERASED', values: {} };
  const text = openText(key, sealContext.event(row.eventId), row.personal);
  if (text === undefined) return { state: 'DAMAGED', values: {} };
  return { state: 'READABLE', values: JSON.parse(text) };
}

/** Undefined when the seal is broken: one changed row must not take the page around it away. */
function openText(key: DataKey, context: string, sealed: Buffer): string | undefined {
  try {
    return open(key, context, sealed).toString('utf8');
  } catch (error) {
    if (error instanceof SealBrokenError) return undefined;
    throw error;
  }
}

const TYPES_BY_TRIGGER: ReadonlyMap<number, EventType> = new Map(
  EVENT_TYPES.map((type) => [TRIGGER_IDS[type], type]),
);

/** The personal fields of each payload, empty. @see splitPayload, which takes them out */
const EMPTY_PERSONAL: Readonly<Record<EventType, object>> = {
  CHAT: { message: '' },
  GIFT: { toUserId: null },
  LIKE: {},
  FOLLOW: {},
  SHARE: {},
  JOIN: {},
  SUBSCRIBE: {},
  EMOTE: {},
  BATTLE: { participants: [] },
  CONNECTED: {},
  DISCONNECTED: {},
  ERROR: { message: '', stack: null },
  RAW: { data: null },
  ROOM_USER: {},
  STREAM_END: {},
  MESSAGE_DELETED: { userIds: [] },
  QUESTION: { message: '' },
  ENVELOPE: {},
};
