import type { EventPayloads, EventType, EventUser } from '../../events/unified-event.ts';
import type { JsonRecord } from './reading.ts';

/** What a message says, before it is placed in a channel, a stream and time. */
export type EventBody = {
  [T in EventType]: {
    readonly type: T;
    readonly user: EventUser | null;
    readonly payload: EventPayloads[T];
  };
}[EventType];

/** Reads one type of message. Null when this one says nothing that has an event type: it is kept as RAW. */
export type BodyReader = (data: JsonRecord) => EventBody | null;
