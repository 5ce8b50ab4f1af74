import type { Kysely } from 'kysely';
import { selectKnownMembers } from '../../db/audience-member.ts';
import type { Database } from '../../db/connect.ts';
import { type EventInsert, insertEvents, type RedactionInsert } from '../../db/event-insert.ts';
import { upsertGifts } from '../../db/gift-catalogue.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId, MemberId } from '../../lib/ids.ts';
import { createPacer } from '../../lib/pacer.ts';
import { type SubjectId, sealContext } from '../../privacy/context.ts';
import { type DataKey, seal } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import type { UnifiedEvent } from '../unified-event.ts';
import type { GiftMemory } from './gifts.ts';
import { writeMembers } from './member-writes.ts';
import { hasWrites, type MemberDirectory, type MemberPlan, memberPlace } from './members.ts';
import { splitPayload } from './payload.ts';

/** Events sealed and put into rows in one turn of the event loop, at some 20 µs each. */
const ROWS_PER_TURN = 200;

export interface BatchDeps {
  readonly db: Kysely<Database>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly members: MemberDirectory;
  readonly gifts: GiftMemory;
}

interface PreparedEvent {
  readonly event: UnifiedEvent;
  readonly place: string | null;
  readonly open: object;
  readonly personal: object | null;
}

/** Events whose people are stored, sealed and in rows: all that is left is to insert them. */
export interface ReadyBatch {
  readonly rows: readonly EventInsert[];
  readonly redactions: readonly RedactionInsert[];
}

/**
 * Stores the people and gifts that these events show, in one transaction if there is anything to write, and makes rows of
 * the events. People without their events do no harm: the events come again until they are inserted.
 */
export async function prepareBatch(deps: BatchDeps, events: readonly UnifiedEvent[]): Promise<ReadyBatch> {
  const prepared = events.map(
    (event): PreparedEvent => ({ event, place: memberPlace(event), ...splitPayload(event) }),
  );
  const plan = await deps.members.plan(events);
  const keys = await knownKeys(deps, prepared, plan);
  const gifts = deps.gifts.news(events);
  let newKeys: ReadonlyMap<SubjectId, DataKey> = new Map();
  if (hasWrites(plan) || gifts.length > 0) {
    newKeys = await deps.db.transaction().execute(async (tx) => {
      const made = await writeMembers(deps, tx, plan, keys);
      if (gifts.length > 0) await upsertGifts(tx, gifts);
      return made;
    });
  }
  deps.members.remember(plan);
  deps.gifts.remember(gifts);
  const rows = await eventRows(prepared, plan, (id) => newKeys.get(id) ?? keys.get(id));
  return { rows, redactions: await redactionsOf(deps, deps.db, events) };
}

/**
 * Inserts the events with their rollups, in one statement. Returns how many were new. When it throws, none was inserted.
 * The events' days have partitions, and none is there twice.
 */
export function insertBatch(deps: BatchDeps, batch: ReadyBatch): Promise<number> {
  return insertEvents(deps.db, batch.rows, batch.redactions);
}

/** The keys of everybody whose data this batch seals and who is known already; channels are given one if need be. */
async function knownKeys(
  deps: BatchDeps,
  prepared: readonly PreparedEvent[],
  plan: MemberPlan,
): Promise<ReadonlyMap<SubjectId, DataKey>> {
  const members = new Set<MemberId>(plan.changed.map((change) => change.id));
  const channels = new Set<ChannelId>();
  for (const { event, place, personal } of prepared) {
    if (personal === null) continue;
    const memberId = place === null ? undefined : plan.ids.get(place);
    if (memberId !== undefined) members.add(memberId);
    else if (place === null) channels.add(event.channelId);
  }
  const [ofMembers, ofChannels] = await Promise.all([
    deps.vault.dataKeys([...members], { create: false }),
    deps.vault.dataKeys([...channels], { create: true }),
  ]);
  return new Map([...ofMembers, ...ofChannels]);
}

async function eventRows(
  prepared: readonly PreparedEvent[],
  plan: MemberPlan,
  keyOf: (id: SubjectId) => DataKey | undefined,
): Promise<readonly EventInsert[]> {
  const pacer = createPacer(ROWS_PER_TURN);
  const rows: EventInsert[] = [];
  for (const { event, place, open, personal } of prepared) {
    const memberId = place === null ? null : (plan.ids.get(place) ?? null);
    const key = personal === null ? undefined : keyOf(memberId ?? event.channelId);
    // Without a key the subject was erased this moment: the event counts, its words are nobody's.
    const sealed =
      key === undefined ? null : seal(key, sealContext.event(event.eventId), JSON.stringify(personal));
    const isGift = event.eventType === 'GIFT';
    rows.push({
      eventId: event.eventId,
      occurredAt: event.timestamp,
      ingestedAt: event.ingestedAt,
      sequence: event.sequence,
      channelId: event.channelId,
      streamId: event.streamId,
      sessionId: event.sessionId,
      triggerId: event.triggerId,
      provider: event.provider,
      source: event.source,
      history: event.history,
      memberId,
      coins: isGift ? event.payload.coins : null,
      streakCoins: isGift ? event.payload.streakCoins : null,
      payload: JSON.stringify(open),
      personal: sealed,
      subjectId: sealed === null ? null : (memberId ?? event.channelId),
    });
    const turn = pacer.spend();
    if (turn !== undefined) await turn;
  }
  return rows;
}

/** Whose messages the batch's MESSAGE_DELETED events take away: those of them that are members. */
async function redactionsOf(
  deps: BatchDeps,
  tx: Kysely<Database>,
  events: readonly UnifiedEvent[],
): Promise<readonly RedactionInsert[]> {
  const wanted = events.flatMap((event) => {
    if (event.eventType !== 'MESSAGE_DELETED') return [];
    const { channelId, provider, eventId, payload } = event;
    return payload.userIds.map((userId) => ({
      eventId,
      locator: { channelId, provider, userHash: deps.vault.userHash({ channelId, provider, userId }) },
    }));
  });
  const known = await selectKnownMembers(
    tx,
    wanted.map((deletion) => deletion.locator),
  );
  return wanted.flatMap(({ eventId }, place) => {
    const member = known.get(place);
    return member === undefined ? [] : [{ eventId, memberId: member.id }];
  });
}
