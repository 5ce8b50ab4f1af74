import type { StateChanges } from '../../bus/port.ts';
import type { EventDraft, EventSource, Provider } from '../../events/unified-event.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ChannelId, SessionId, StreamId } from '../../lib/ids.ts';
import type { SourceMessage } from '../live-source.ts';
import type { EventBody } from './body.ts';
import { streamEndBody } from './control.ts';
import { DraftFactory, type Origin } from './draft.ts';
import { type GiftReading, loneGiftBody } from './gift.ts';
import { GiftStreaks, type StreakBooking } from './gift-streaks.ts';
import { type LifecycleEvent, LifecycleFactory } from './lifecycle.ts';
import { LIKES_PER_MESSAGE_MAX, LIKES_TOTAL_MAX, LikeMaximum } from './likes.ts';
import { MessageReader } from './message-reader.ts';
import { encodeMark, LAST_KEY, LIKES_KEY, type RestoredState } from './normaliser-state.ts';
import { createRawRedactor, type RawRedactor } from './raw-redaction.ts';
import { countOf, type JsonRecord, textOf, timestampOf } from './reading.ts';

/** What a normaliser works for: one session of one stream. */
export interface NormaliserContext {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly provider: Provider;
  /** A REPLAY changes no producer state: the live session of the same channel owns it. */
  readonly source: EventSource;
  readonly clock: Clock;
  /** A keyed, stable stand-in for a value that names a person. Must not be reversible without the key. */
  readonly pseudonym: (value: string) => string;
  /** What earlier sessions of the stream left. @see restoreState */
  readonly restored: RestoredState;
  /** Adds stacks to ERROR events. */
  readonly development: boolean;
}

/** An event and the producer state that must be written in the same atomic step. */
export interface NormalisedItem {
  readonly draft: EventDraft;
  readonly stateChanges?: StateChanges;
}

/** A message that never became an event: for the dead letters. */
export interface UndecodableMessage {
  readonly rawType: string;
  readonly messageId: string | null;
  readonly bytes: Uint8Array;
  /** One line, without the message's content. */
  readonly error: string;
}

export interface NormalisedBatch {
  readonly items: readonly NormalisedItem[];
  readonly undecodable: readonly UndecodableMessage[];
}

/** Turns provider messages into events. Synchronous; never throws; keeps gift streaks and the like maximum between calls. */
export interface Normaliser {
  /** Events of these messages, in order. A message that says nothing new (a streak's repeat) gives none. */
  accept(messages: readonly SourceMessage[]): NormalisedBatch;
  /**
   * Closes gift streaks idle since 10 s. To be called about once a second. `nowMs` is on the clock of the messages'
   * `receivedAt`: the machine's for a live room, the recording's in a replay.
   */
  tick(nowMs: number): NormalisedBatch;
  /** Closes all gift streaks: at the end of the stream, at a disconnect and before a clean stop. Idempotent. */
  finish(): NormalisedBatch;
  readonly lifecycle: LifecycleEvents;
}

/** Events of ours, about the connection. To be appended like the others, in their place. */
interface LifecycleEvents {
  /** Once per session. */
  connected(): NormalisedItem;
  /** Once per session. */
  disconnected(end: {
    readonly code: number;
    readonly reason: string;
    readonly willReconnect: boolean;
  }): NormalisedItem;
  /** Null when the provider's own message has already become the STREAM_END of this session. */
  streamEnded(reason: 'ENDED' | 'SUSPENDED'): NormalisedItem | null;
  /** `code` is a fixed name of ours (`SIGN_SERVER`); the error's message is for the operator. */
  error(failure: { readonly code: string; readonly error: Error }): NormalisedItem;
}

export function createNormaliser(context: NormaliserContext): Normaliser {
  return new RoomNormaliser(context);
}

/** The type name in the ids of closing events that no message stands for. Must not change. */
const STREAK_END_TYPE = 'TallylightStreakEnd';
const RAW_TYPE_CHARS_MAX = 100;
const ERROR_CHARS_MAX = 200;
const NO_BYTES = new Uint8Array(0);

/** Where a message's events come from. */
interface Arrival extends Origin {
  /** When it was first received: silence is measured by it, also in a replay. */
  readonly receivedAt: number;
}

type DecodedContent = Extract<SourceMessage['content'], { kind: 'DECODED' }>;

interface Output {
  readonly items: NormalisedItem[];
  readonly undecodable: UndecodableMessage[];
}

class RoomNormaliser implements Normaliser {
  readonly lifecycle: LifecycleEvents;
  readonly #streamId: StreamId;
  readonly #source: EventSource;
  readonly #clock: Clock;
  readonly #drafts: DraftFactory;
  readonly #redact: RawRedactor;
  readonly #reader = new MessageReader();
  readonly #streaks: GiftStreaks;
  readonly #likes: LikeMaximum;
  #streamEnded = false;

  constructor(context: NormaliserContext) {
    this.#streamId = context.streamId;
    this.#source = context.source;
    this.#clock = context.clock;
    this.#drafts = new DraftFactory(context);
    this.#redact = createRawRedactor(context.pseudonym);
    this.#likes = new LikeMaximum(context.restored.likesMax);
    this.#streaks = new GiftStreaks({
      streamId: context.streamId,
      scope: context.source === 'REPLAY' ? context.sessionId : '',
      pseudonym: context.pseudonym,
      restored: context.restored,
    });
    const factory = new LifecycleFactory(context);
    const place = ({ body, origin }: LifecycleEvent) => this.#item(body, origin);
    this.lifecycle = {
      connected: () => place(factory.connected()),
      disconnected: (end) => place(factory.disconnected(end)),
      streamEnded: (reason) => (this.#endStream() ? place(factory.streamEnded(reason)) : null),
      error: (failure) => place(factory.error(failure)),
    };
  }

  accept(messages: readonly SourceMessage[]): NormalisedBatch {
    const output: Output = { items: [], undecodable: [] };
    const nowMs = this.#clock.nowMs();
    for (const message of messages) this.#accept(message, nowMs, output);
    const last = output.items.pop();
    if (last !== undefined) output.items.push(this.#marked(last));
    return output;
  }

  tick(nowMs: number): NormalisedBatch {
    const bookings: StreakBooking[] = [];
    this.#streaks.closeIdle(nowMs, bookings);
    return { items: this.#closings(bookings), undecodable: [] };
  }

  finish(): NormalisedBatch {
    const bookings: StreakBooking[] = [];
    this.#streaks.closeAll(bookings);
    return { items: this.#closings(bookings), undecodable: [] };
  }

  /** Never throws: a message that we fail on is kept RAW, and if even that fails it is for the dead letters. */
  #accept(message: SourceMessage, nowMs: number, output: Output): void {
    const { rawType, content, receivedAt, history } = message;
    if (content.kind === 'UNDECODABLE') {
      output.undecodable.push(undecodable(message, content.bytes, content.error));
      return;
    }
    const messageId = message.messageId === '' || message.messageId === '0' ? null : message.messageId;
    // A replay is ingested now, whenever its messages were first received.
    const ingestedAt = this.#source === 'REPLAY' ? nowMs : receivedAt;
    const data = content.kind === 'DECODED' ? content.data : { byteLength: content.bytes.byteLength };
    try {
      const timestamp = timestampOf(data, messageId, receivedAt);
      const arrival = { rawType, messageId, timestamp, ingestedAt, history, receivedAt };
      // The bytes of an unknown type may hold anything about anyone: their number is all that is kept.
      if (content.kind === 'UNKNOWN') output.items.push(this.#item(rawBody(rawType, data), arrival));
      else this.#read(content, arrival, output);
    } catch (error) {
      const origin = { rawType, messageId, timestamp: receivedAt, ingestedAt, history };
      try {
        output.items.push(this.#item(rawBody(rawType, this.#redact(data)), origin));
      } catch {
        const reason = error instanceof Error ? error.name : 'unknown';
        output.undecodable.push(undecodable(message, NO_BYTES, reason));
      }
    }
  }

  #read({ data, whole }: DecodedContent, arrival: Arrival, output: Output): void {
    switch (arrival.rawType) {
      case 'WebcastGiftMessage':
        if (this.#gift(this.#reader.gift(data), arrival, output)) return;
        break;
      case 'WebcastLikeMessage':
        output.items.push(this.#like(data, arrival));
        return;
      case 'WebcastEmoteChatMessage':
        if (this.#emotes(this.#reader.emotes(data), arrival, output)) return;
        break;
      case 'WebcastControlMessage':
        if (this.#control(streamEndBody(data), arrival, output)) return;
        break;
    }
    const body = this.#reader.body(arrival.rawType, data);
    const shown = body ?? rawBody(arrival.rawType, this.#redact(whole?.() ?? data));
    output.items.push(this.#item(shown, arrival));
  }

  /** False when there is no gift in it. A step of a streak that says nothing new gives no event. */
  #gift(gift: GiftReading | null, arrival: Arrival, output: Output): boolean {
    if (gift === null) return false;
    if (gift.groupId === '') {
      const id = this.#drafts.eventId(arrival);
      output.items.push({ draft: this.#drafts.draft(loneGiftBody(gift, id), arrival, id) });
      return true;
    }
    const bookings: StreakBooking[] = [];
    const { timestamp, history, receivedAt } = arrival;
    this.#streaks.book({ gift, timestamp, history, arrivedAt: receivedAt }, bookings);
    for (const booking of bookings) {
      const origin = booking.synthetic ? this.#closingOrigin(booking) : arrival;
      output.items.push(this.#streakItem(booking, origin));
    }
    return true;
  }

  #closings(bookings: readonly StreakBooking[]): NormalisedItem[] {
    return bookings.map((booking) => this.#streakItem(booking, this.#closingOrigin(booking)));
  }

  #closingOrigin(booking: StreakBooking): Origin {
    const { streakId, streakCount } = booking.payload;
    return {
      rawType: STREAK_END_TYPE,
      // The same close of the same streak is one event, whoever makes it and after however many restarts.
      messageId: `${streakId}#${streakCount}`,
      timestamp: booking.timestamp,
      ingestedAt: this.#clock.nowMs(),
      history: booking.history,
    };
  }

  #streakItem(booking: StreakBooking, origin: Origin): NormalisedItem {
    const body: EventBody = { type: 'GIFT', user: booking.user, payload: booking.payload };
    return this.#withState(this.#drafts.draft(body, origin), booking.stateChanges);
  }

  /** WebcastLikeMessage */
  #like(data: JsonRecord, origin: Origin): NormalisedItem {
    const isNew = this.#likes.raise(countOf(data.total, LIKES_TOTAL_MAX));
    const likeCount = countOf(data.count, LIKES_PER_MESSAGE_MAX);
    const payload = { likeCount, totalLikeCount: this.#likes.value };
    const draft = this.#drafts.draft({ type: 'LIKE', user: this.#reader.person(data), payload }, origin);
    if (!isNew) return { draft };
    return this.#withState(draft, { set: { [LIKES_KEY]: encodeMark(this.#streamId, this.#likes.value) } });
  }

  /** One event per emote; the first has the message's own id. */
  #emotes(bodies: readonly EventBody[], origin: Origin, output: Output): boolean {
    for (const [index, body] of bodies.entries()) {
      const isFirst = index === 0 || origin.messageId === null;
      const part = isFirst ? origin : { ...origin, messageId: `${origin.messageId}#${index}` };
      output.items.push(this.#item(body, part));
    }
    return bodies.length > 0;
  }

  /** The end of the stream, after the end of everything that was going on in it. A second end says nothing new. */
  #control(body: EventBody | null, origin: Origin, output: Output): boolean {
    if (body === null || !this.#endStream()) return false;
    const bookings: StreakBooking[] = [];
    this.#streaks.closeAll(bookings);
    output.items.push(...this.#closings(bookings), this.#item(body, origin));
    return true;
  }

  /** True once. */
  #endStream(): boolean {
    const isFirst = !this.#streamEnded;
    this.#streamEnded = true;
    return isFirst;
  }

  #item(body: EventBody, origin: Origin): NormalisedItem {
    return { draft: this.#drafts.draft(body, origin) };
  }

  #withState(draft: EventDraft, stateChanges: StateChanges): NormalisedItem {
    return this.#source === 'REPLAY' ? { draft } : { draft, stateChanges };
  }

  /** `item` as the last of what has arrived so far. */
  #marked(item: NormalisedItem): NormalisedItem {
    const { draft, stateChanges } = item;
    const last = encodeMark(this.#streamId, draft.ingestedAt);
    return this.#withState(draft, { ...stateChanges, set: { ...stateChanges?.set, [LAST_KEY]: last } });
  }
}

function rawBody(rawType: string, data: JsonRecord): EventBody {
  return { type: 'RAW', user: null, payload: { rawType: textOf(rawType, RAW_TYPE_CHARS_MAX), data } };
}

function undecodable(message: SourceMessage, bytes: Uint8Array, error: string): UndecodableMessage {
  const { rawType, messageId } = message;
  const [line = ''] = error.split('\n', 1);
  return {
    rawType: textOf(rawType, RAW_TYPE_CHARS_MAX),
    messageId,
    bytes,
    error: textOf(line, ERROR_CHARS_MAX),
  };
}
