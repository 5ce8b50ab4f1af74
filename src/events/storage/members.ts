import type { Kysely } from 'kysely';
import { type KnownMember, type MemberLocator, selectKnownMembers } from '../../db/audience-member.ts';
import type { Database } from '../../db/connect.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId, MemberId } from '../../lib/ids.ts';
import { createPacer } from '../../lib/pacer.ts';
import type { Vault } from '../../privacy/vault.ts';
import { profileFingerprint, sameUser } from '../member-profile.ts';
import type { EventUser, Provider, UnifiedEvent } from '../unified-event.ts';

/** Members remembered at most: about 1 kB each. */
const MEMBERS_MAX = 20_000;
/** How long a remembered member is taken to exist without looking, in milliseconds: an erased one may come back new. */
const MEMBER_AGE_MAX_MS = 60_000;
/** `last_seen_at` is written at most this often per member, in milliseconds. */
const TOUCH_INTERVAL_MS = 60_000;
/** People hashed in one turn of the event loop, at some 15 µs each. */
const HASHES_PER_TURN = 200;

/** One person in a batch, over all their events in it. */
export interface Appearance {
  readonly place: string;
  readonly channelId: ChannelId;
  readonly provider: Provider;
  /** As their latest live event shows them. */
  user: EventUser;
  /** Seen live. A replay shows the past, and changes nothing about people who are known. */
  live: boolean;
  firstSeenAt: number;
  lastSeenAt: number;
}

/** A person that nobody knew. */
export interface Newcomer {
  readonly appearance: Appearance;
  readonly locator: MemberLocator;
}

/** What a batch tells about its people, and what is to be written of it. */
export interface MemberPlan {
  /** Members by place; the newcomers' are added once they are stored. */
  readonly ids: Map<string, MemberId>;
  readonly added: Newcomer[];
  /** Known people whose profile, handle or role is new. */
  readonly changed: { readonly appearance: Appearance; readonly id: MemberId }[];
  /** Known people with nothing new but the time. */
  readonly touched: { readonly id: MemberId; readonly lastSeenAt: number }[];
  /** What to remember of the known once it is committed. */
  readonly memories: Map<string, RememberedMember>;
}

interface RememberedMember {
  readonly id: MemberId;
  /** As stored. */
  readonly user: EventUser;
  readonly lastSeenAt: number;
  /** When the database last confirmed the member. */
  readonly confirmedAt: number;
}

/** Names a person within a channel, for maps in memory; null when nobody did it. */
export function memberPlace(event: UnifiedEvent): string | null {
  return event.user === null ? null : `${event.channelId} ${event.provider} ${event.user.userId}`;
}

/** Whether there is anything to write about people. */
export function hasWrites(plan: MemberPlan): boolean {
  return plan.added.length > 0 || plan.changed.length > 0 || plan.touched.length > 0;
}

/** Finds the members of batches, remembering those it saw lately. */
export class MemberDirectory {
  readonly #deps: { readonly db: Kysely<Database>; readonly vault: Vault; readonly clock: Clock };
  /** By place, in order of use, the longest unused first. */
  readonly #remembered = new Map<string, RememberedMember>();

  constructor(deps: { readonly db: Kysely<Database>; readonly vault: Vault; readonly clock: Clock }) {
    this.#deps = deps;
  }

  /** Looks the batch's people up, in one round trip or none. Changes nothing. */
  async plan(events: readonly UnifiedEvent[]): Promise<MemberPlan> {
    const plan: MemberPlan = { ids: new Map(), added: [], changed: [], touched: [], memories: new Map() };
    const strangers: Appearance[] = [];
    for (const appearance of appearances(events)) {
      const memory = this.#recall(appearance.place);
      if (memory === undefined) {
        strangers.push(appearance);
      } else {
        appearance.user = withHandle(appearance.user, memory.user.uniqueId);
        const unchanged =
          sameUser(memory.user, appearance.user) ||
          profileFingerprint(memory.user) === profileFingerprint(appearance.user);
        file(plan, appearance, memory, unchanged);
      }
    }
    if (strangers.length > 0) await this.#lookUp(strangers, plan);
    return plan;
  }

  /** Remembers a plan's people. To be called when what was to be written is committed. */
  remember(plan: MemberPlan): void {
    for (const [place, memory] of plan.memories) this.#keep(place, memory);
    const confirmedAt = this.#deps.clock.nowMs();
    for (const { appearance } of plan.added) {
      const id = plan.ids.get(appearance.place);
      const { user, lastSeenAt } = appearance;
      if (id !== undefined) this.#keep(appearance.place, { id, user, lastSeenAt, confirmedAt });
    }
  }

  async #lookUp(strangers: readonly Appearance[], plan: MemberPlan): Promise<void> {
    const { vault, clock, db } = this.#deps;
    const pacer = createPacer(HASHES_PER_TURN);
    const hashed: { locator: MemberLocator; profileHash: Buffer }[] = [];
    for (const { channelId, provider, user } of strangers) {
      const userHash = vault.userHash({ channelId, provider, userId: user.userId });
      const profileHash = vault.profileHash({ channelId, profile: profileFingerprint(user) });
      hashed.push({ locator: { channelId, provider, userHash }, profileHash });
      await pacer.spend();
    }
    const found = await selectKnownMembers(
      db,
      hashed.map((entry) => entry.locator),
    );
    const confirmedAt = clock.nowMs();
    strangers.forEach((appearance, place) => {
      const known = found.get(place);
      const entry = hashed[place];
      if (entry === undefined) return;
      if (known === undefined) {
        plan.added.push({ appearance, locator: entry.locator });
      } else if (appearance.user.uniqueId === '') {
        fileNameless(plan, appearance, known);
      } else {
        const { id, lastSeenAt } = known;
        const memory = { id, user: appearance.user, lastSeenAt, confirmedAt };
        file(plan, appearance, memory, known.profileHash.equals(entry.profileHash));
      }
    });
  }

  #recall(place: string): RememberedMember | undefined {
    const memory = this.#remembered.get(place);
    if (memory === undefined) return undefined;
    this.#remembered.delete(place);
    if (this.#deps.clock.nowMs() - memory.confirmedAt >= MEMBER_AGE_MAX_MS) return undefined;
    this.#remembered.set(place, memory);
    return memory;
  }

  #keep(place: string, memory: RememberedMember): void {
    this.#remembered.delete(place);
    this.#remembered.set(place, memory);
    if (this.#remembered.size <= MEMBERS_MAX) return;
    const oldest = this.#remembered.keys().next();
    if (!oldest.done) this.#remembered.delete(oldest.value);
  }
}

/** Sorts a known person's appearance into the plan. `memory` is what was known of them before. */
function file(plan: MemberPlan, appearance: Appearance, memory: RememberedMember, unchanged: boolean): void {
  const { id } = memory;
  plan.ids.set(appearance.place, id);
  if (!appearance.live) return;
  const { lastSeenAt, user } = appearance;
  const { confirmedAt } = memory;
  if (!unchanged) {
    plan.changed.push({ appearance, id });
  } else if (lastSeenAt - memory.lastSeenAt >= TOUCH_INTERVAL_MS) {
    plan.touched.push({ id, lastSeenAt });
  } else {
    plan.memories.set(appearance.place, { id, user, lastSeenAt: memory.lastSeenAt, confirmedAt });
    return;
  }
  plan.memories.set(appearance.place, { id, user, lastSeenAt, confirmedAt });
}

/**
 * Files a known person whom an event shows without a handle. What is stored of them is not at hand, so it stays: nothing
 * is written but the time, and nothing remembered.
 */
function fileNameless(plan: MemberPlan, appearance: Appearance, known: KnownMember): void {
  const { id } = known;
  plan.ids.set(appearance.place, id);
  const { lastSeenAt, live } = appearance;
  if (live && lastSeenAt - known.lastSeenAt >= TOUCH_INTERVAL_MS) plan.touched.push({ id, lastSeenAt });
}

/** Some messages show a user without a handle: then the one known before stands. */
function withHandle(user: EventUser, known: string): EventUser {
  return user.uniqueId === '' ? { ...user, uniqueId: known } : user;
}

/** The people of a batch, each once. */
function appearances(events: readonly UnifiedEvent[]): Iterable<Appearance> {
  const found = new Map<string, Appearance>();
  for (const event of events) {
    const place = memberPlace(event);
    if (place === null || event.user === null) continue;
    const live = event.source === 'LIVE';
    const known = found.get(place);
    if (known === undefined) {
      const { channelId, provider, user, timestamp } = event;
      found.set(place, {
        place,
        channelId,
        provider,
        user,
        live,
        firstSeenAt: timestamp,
        lastSeenAt: timestamp,
      });
    } else {
      if (live || !known.live) known.user = withHandle(event.user, known.user.uniqueId);
      known.live ||= live;
      known.firstSeenAt = Math.min(known.firstSeenAt, event.timestamp);
      known.lastSeenAt = Math.max(known.lastSeenAt, event.timestamp);
    }
  }
  return found.values();
}
