import type { AppContext } from '../context.ts';
import type { SessionRow } from '../db/session.ts';
import type { StreamRow } from '../db/stream.ts';
import { encodeEventCursor } from '../events/event-cursor.ts';
import type { PersonalState } from '../events/stored-event.ts';
import type { BattleParticipant, EventType, UnifiedEvent, UnifiedEventOf } from '../events/unified-event.ts';
import type { ChannelId, MemberId } from '../lib/ids.ts';
import type { EventActor } from './actor.ts';

/** An event as the schema shows it, live or from history. */
export interface ShownEvent<T extends EventType = EventType> {
  readonly event: UnifiedEventOf<T>;
  /** Null: nobody did it. Undefined: a live event, which does not know the member. */
  readonly memberId: MemberId | null | undefined;
  /** Unless READABLE, the personal fields of the payload are empty and show as null. */
  readonly personal: PersonalState;
}

/** A live event, to be shown. */
export function liveEvent(event: UnifiedEvent): ShownEvent {
  return { event, memberId: undefined, personal: 'READABLE' };
}

/** The object type of each event type. */
export const EVENT_TYPENAMES: Readonly<Record<EventType, string>> = {
  CHAT: 'ChatEvent',
  GIFT: 'GiftEvent',
  LIKE: 'LikeEvent',
  FOLLOW: 'FollowEvent',
  SHARE: 'ShareEvent',
  JOIN: 'JoinEvent',
  SUBSCRIBE: 'SubscribeEvent',
  EMOTE: 'EmoteEvent',
  BATTLE: 'BattleEvent',
  CONNECTED: 'ConnectedEvent',
  DISCONNECTED: 'DisconnectedEvent',
  ERROR: 'ErrorEvent',
  RAW: 'RawEvent',
  ROOM_USER: 'RoomUserEvent',
  STREAM_END: 'StreamEndEvent',
  MESSAGE_DELETED: 'MessageDeletedEvent',
  QUESTION: 'QuestionEvent',
  ENVELOPE: 'EnvelopeEvent',
};

export function eventTypename({ event }: ShownEvent): string {
  return EVENT_TYPENAMES[event.eventType];
}

/** The global id: the time (12 hexadecimal digits, so that a look-up finds the day's partition), then the event id. */
export function eventGlobalId({ event }: ShownEvent): string {
  return `evt_${event.timestamp.toString(16).padStart(12, '0')}${event.eventId}`;
}

/** What a global id of an event says; undefined when the text is not one. */
export function parseEventGlobalId(
  text: string,
): { readonly occurredAt: number; readonly eventId: string } | undefined {
  const match = /^evt_([0-9a-f]{12})([0-9a-f]{64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { occurredAt: Number.parseInt(match[1], 16), eventId: match[2] };
}

export function encodedCursor({ event }: ShownEvent): string {
  return encodeEventCursor({ occurredAt: event.timestamp, sequence: event.sequence });
}

export function eventActor(shown: ShownEvent, _args: object, { services }: AppContext): EventActor | null {
  const { channelId, provider, user } = shown.event;
  if (user === null) return null;
  const alias = services.vault.alias({ channelId, userId: user.userId });
  return { alias, user, channelId, provider, memberId: shown.memberId ?? undefined };
}

export function eventStream(
  { event }: ShownEvent,
  _args: object,
  ctx: AppContext,
): Promise<StreamRow | null> {
  return ctx.loaders.streams.load(event.streamId);
}

export function eventSession(
  { event }: ShownEvent,
  _args: object,
  ctx: AppContext,
): Promise<SessionRow | null> {
  return ctx.loaders.sessions.load(event.sessionId);
}

/** A text of the payload that is personal: null once it was deleted at the provider, erased, or found damaged. */
export function personalText(shown: ShownEvent, text: string): string | null {
  return shown.personal === 'READABLE' ? text : null;
}

/** A participant of a battle, with what leads to their alias. */
export interface ShownParticipant extends BattleParticipant {
  readonly channelId: ChannelId;
}

export function battleParticipants({ event }: ShownEvent<'BATTLE'>): readonly ShownParticipant[] {
  return event.payload.participants.map((participant) => ({ ...participant, channelId: event.channelId }));
}

export function participantAlias(
  { channelId, userId }: ShownParticipant,
  _args: object,
  { services }: AppContext,
): string {
  return services.vault.alias({ channelId, userId });
}

/** Stands for people the payload names, without naming them. */
export function payloadAliases(
  { event }: ShownEvent,
  userIds: readonly string[],
  { services }: AppContext,
): string[] {
  return userIds.map((userId) => services.vault.alias({ channelId: event.channelId, userId }));
}
