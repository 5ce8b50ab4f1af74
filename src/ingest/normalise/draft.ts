import { eventId } from '../../events/event-id.ts';
import { type EventDraft, type EventSource, type Provider, TRIGGER_IDS } from '../../events/unified-event.ts';
import type { ChannelId, SessionId, StreamId } from '../../lib/ids.ts';
import type { EventBody } from './body.ts';

/** Where an event comes from: what its id is made of, and its times. */
export interface Origin {
  /** The provider's type name, or one of ours for an event that no message stands for. */
  readonly rawType: string;
  /** What names the message in its stream; null when nothing does. */
  readonly messageId: string | null;
  readonly timestamp: number;
  readonly ingestedAt: number;
  readonly history: boolean;
}

interface DraftSession {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly provider: Provider;
  readonly source: EventSource;
}

/** Places what messages say in their channel, stream and time. */
export class DraftFactory {
  readonly #session: DraftSession;
  /** Numbers the events that have no id of the provider's. */
  #localSequence = 0;

  constructor(session: DraftSession) {
    this.#session = session;
  }

  /** The id of the event that `origin` gives: once per event, since those without a message id are numbered here. */
  eventId(origin: Origin): string {
    const { provider, streamId, sessionId, source } = this.#session;
    const { messageId, rawType } = origin;
    if (messageId === null) this.#localSequence += 1;
    return eventId({
      provider,
      streamId,
      sessionId,
      messageId,
      localSequence: this.#localSequence,
      rawType,
      source,
    });
  }

  draft(body: EventBody, origin: Origin, id: string = this.eventId(origin)): EventDraft {
    const { channelId, streamId, sessionId, provider, source } = this.#session;
    const draft = {
      schemaVersion: '1',
      eventId: id,
      eventType: body.type,
      triggerId: TRIGGER_IDS[body.type],
      provider,
      channelId,
      streamId,
      sessionId,
      timestamp: origin.timestamp,
      ingestedAt: origin.ingestedAt,
      source,
      history: origin.history,
      user: body.user,
      payload: body.payload,
    };
    // Type, trigger id and payload come from one body, so they belong together; the compiler cannot follow that.
    return draft as EventDraft;
  }
}
