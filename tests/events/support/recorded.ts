import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Database } from '../../../src/db/connect.ts';
import { createEventPartitions } from '../../../src/db/partition.ts';
import { profileText } from '../../../src/events/member-profile.ts';
import { splitPayload } from '../../../src/events/storage/payload.ts';
import {
  type EventPayloads,
  type EventSource,
  type EventType,
  type EventUser,
  TRIGGER_IDS,
  type UnifiedEvent,
} from '../../../src/events/unified-event.ts';
import { assert } from '../../../src/lib/assert.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import {
  type ChannelId,
  idFromUuid,
  type MemberId,
  newId,
  type SessionId,
  type StreamId,
  uuidFromId,
} from '../../../src/lib/ids.ts';
import { sealContext } from '../../../src/privacy/context.ts';
import { seal } from '../../../src/privacy/envelope.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../../src/privacy/vault.ts';

/** The first moment of the streams recorded here: 12 November 2026, 18:00 UTC. */
export const STARTED_AT = Date.UTC(2026, 10, 12, 18);
const HOUR_MS = 60 * 60 * 1000;

export const testMasterKey = parseMasterKey(Buffer.alloc(32, 7).toString('base64'));

export function testVault(db: Kysely<Database>): Vault {
  return createVault({ db, masterKey: testMasterKey, clock: systemClock });
}

/** A recording: one session of one stream of one channel, to put events into. */
export interface Recording {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
}

export async function recordChannel(db: Kysely<Database>): Promise<ChannelId> {
  const channelId = newId('channel', STARTED_AT);
  const handle = `c${randomBytes(6).toString('hex')}`;
  await db
    .insertInto('channel')
    .values({ id: uuidFromId(channelId), provider: 'TIKTOK', handle })
    .execute();
  return channelId;
}

/** A stream of four hours with one session as long, ended, or live when `endedAt` is null. */
export async function recordStream(
  db: Kysely<Database>,
  options: { channelId: ChannelId; startedAt?: number; endedAt?: number | null },
): Promise<Recording> {
  const { channelId, startedAt = STARTED_AT } = options;
  const endedAt = options.endedAt === undefined ? startedAt + 4 * HOUR_MS : options.endedAt;
  const streamId = newId('stream', startedAt);
  await db
    .insertInto('stream')
    .values({
      id: uuidFromId(streamId),
      channel_id: uuidFromId(channelId),
      provider: 'TIKTOK',
      external_id: streamId,
      started_at: new Date(startedAt),
      ended_at: endedAt === null ? null : new Date(endedAt),
    })
    .execute();
  const sessionId = await recordSession(db, { channelId, streamId, startedAt, endedAt });
  return { channelId, streamId, sessionId };
}

export async function recordSession(
  db: Kysely<Database>,
  session: {
    channelId: ChannelId;
    streamId: StreamId;
    startedAt: number;
    endedAt: number | null;
    replayOf?: SessionId;
  },
): Promise<SessionId> {
  const id = newId('session', session.startedAt);
  await db
    .insertInto('session')
    .values({
      id: uuidFromId(id),
      stream_id: uuidFromId(session.streamId),
      channel_id: uuidFromId(session.channelId),
      source: session.replayOf === undefined ? 'LIVE' : 'REPLAY',
      state: session.endedAt === null ? 'LIVE' : 'ENDED',
      started_at: new Date(session.startedAt),
      ended_at: session.endedAt === null ? null : new Date(session.endedAt),
      replay_of: session.replayOf === undefined ? null : uuidFromId(session.replayOf),
    })
    .execute();
  return id;
}

/** A viewer, made up from a number. */
export function viewer(number: number): EventUser {
  return {
    userId: String(7_000_000_000 + number),
    uniqueId: `viewer_${number}`,
    displayName: `Viewer ${number}`,
    avatarUrl: `https://p16.example/${number}.webp`,
    followRole: 'FOLLOWER',
    isModerator: false,
    isSubscriber: true,
    teamMemberLevel: number % 50,
  };
}

/** An event of the recording, `atMs` after the start. */
export function eventAt<T extends EventType>(
  recording: Recording,
  event: {
    type: T;
    atMs: number;
    sequence: number;
    payload: EventPayloads[T];
    user?: EventUser | null;
    source?: EventSource;
    history?: boolean;
  },
): UnifiedEvent {
  const made = {
    schemaVersion: '1',
    eventId: randomBytes(32).toString('hex'),
    eventType: event.type,
    triggerId: TRIGGER_IDS[event.type],
    provider: 'TIKTOK',
    ...recording,
    sequence: event.sequence,
    timestamp: STARTED_AT + event.atMs,
    ingestedAt: STARTED_AT + event.atMs + 40,
    source: event.source ?? 'LIVE',
    history: event.history ?? false,
    user: event.user ?? null,
    payload: event.payload,
  };
  return made as unknown as UnifiedEvent; // the type parameter ties payload to type
}

export function chatAt(
  recording: Recording,
  chat: { atMs: number; sequence: number; message: string; user?: EventUser; source?: EventSource },
): UnifiedEvent {
  const payload = { message: chat.message, emotes: [], language: 'en' };
  return eventAt(recording, { ...chat, type: 'CHAT', user: chat.user ?? viewer(1), payload });
}

export function giftAt(
  recording: Recording,
  gift: { atMs: number; sequence: number; coins: number; user?: EventUser; toUserId?: string },
): UnifiedEvent {
  return eventAt(recording, {
    ...gift,
    type: 'GIFT',
    user: gift.user ?? viewer(1),
    payload: {
      giftId: '5655',
      giftName: 'Rose',
      giftCount: 1,
      coins: gift.coins,
      diamondCount: gift.coins,
      streakId: `streak-${gift.sequence}`,
      streakCount: 1,
      streakCoins: gift.coins,
      streakActive: false,
      streakEnd: true,
      isGiftStreak: false,
      giftImageUrl: null,
      toUserId: gift.toUserId ?? null,
    },
  });
}

/** Stores the events as the storage worker does, without its rollups. Returns each user's member id by user id. */
export async function record(
  deps: { db: Kysely<Database>; vault: Vault },
  events: readonly UnifiedEvent[],
): Promise<ReadonlyMap<string, MemberId>> {
  const members = new Map<string, MemberId>();
  for (const event of events) {
    await createEventPartitions(deps.db, { from: event.timestamp, days: 1 });
    if (event.user !== null && !members.has(event.user.userId)) {
      members.set(event.user.userId, await recordMember(deps, event.channelId, event.user));
    }
    await recordEvent(deps, event, event.user === null ? null : (members.get(event.user.userId) ?? null));
  }
  return members;
}

async function recordEvent(
  deps: { db: Kysely<Database>; vault: Vault },
  event: UnifiedEvent,
  memberId: MemberId | null,
): Promise<void> {
  const { open, personal } = splitPayload(event);
  const subjectId = memberId ?? event.channelId;
  const key = (await deps.vault.dataKeys([subjectId], { create: true })).get(subjectId);
  assert(key !== undefined, 'a key was made');
  const gift = event.eventType === 'GIFT' ? event.payload : null;
  await deps.db
    .insertInto('event')
    .values({
      event_id: Buffer.from(event.eventId, 'hex'),
      occurred_at: new Date(event.timestamp),
      sequence: event.sequence,
      channel_id: uuidFromId(event.channelId),
      stream_id: uuidFromId(event.streamId),
      session_id: uuidFromId(event.sessionId),
      trigger_id: event.triggerId,
      provider: 1,
      source: event.source === 'LIVE' ? 1 : 2,
      history: event.history,
      member_id: memberId === null ? null : uuidFromId(memberId),
      coins: gift?.coins ?? null,
      streak_coins: gift?.streakCoins ?? null,
      ingested_at: new Date(event.ingestedAt),
      payload: JSON.stringify(open),
      personal:
        personal === null ? null : seal(key, sealContext.event(event.eventId), JSON.stringify(personal)),
      subject_id: personal === null ? null : uuidFromId(subjectId),
    })
    .execute();
}

async function recordMember(
  deps: { db: Kysely<Database>; vault: Vault },
  channelId: ChannelId,
  user: EventUser,
): Promise<MemberId> {
  const userHash = deps.vault.userHash({ channelId, provider: 'TIKTOK', userId: user.userId });
  const known = await deps.db
    .selectFrom('audience_member')
    .select('id')
    .where('user_hash', '=', userHash)
    .executeTakeFirst();
  if (known !== undefined) return idFromUuid('member', known.id);
  const memberId = newId('member', STARTED_AT);
  const key = (await deps.vault.dataKeys([memberId], { create: true })).get(memberId);
  assert(key !== undefined, 'a key was made');
  await deps.db
    .insertInto('audience_member')
    .values({
      id: uuidFromId(memberId),
      channel_id: uuidFromId(channelId),
      provider: 'TIKTOK',
      user_hash: userHash,
      handle_hash: deps.vault.handleHash({ channelId, handle: user.uniqueId }),
      profile: seal(key, sealContext.profile(memberId), profileText(user)),
      profile_hash: deps.vault.profileHash({ channelId, profile: profileText(user) }),
      follow_role: user.followRole,
      is_moderator: user.isModerator,
      is_subscriber: user.isSubscriber,
      team_member_level: user.teamMemberLevel,
      first_seen_at: new Date(STARTED_AT),
      last_seen_at: new Date(STARTED_AT),
    })
    .execute();
  return memberId;
}

/** Erases a member as the privacy job will: the key and the row are gone, the events stay. */
export async function eraseMember(db: Kysely<Database>, memberId: MemberId): Promise<void> {
  await db.deleteFrom('audience_member').where('id', '=', uuidFromId(memberId)).execute();
  await db.deleteFrom('subject_key').where('subject_id', '=', uuidFromId(memberId)).execute();
}
