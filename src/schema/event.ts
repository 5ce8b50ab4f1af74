import {
  encodedCursor,
  eventActor,
  eventGlobalId,
  eventSession,
  eventStream,
  eventTypename,
} from '../resolvers/event.ts';
import { Actor } from './actor.ts';
import { builder } from './builder.ts';
import { EventSourceEnum, EventTypeEnum } from './event-enums.ts';
import { Event, Session, Stream } from './refs.ts';
import { VIEWER } from './scopes.ts';

Event.implement({
  description: 'Something that happened in a stream. Each type of event is a type of its own; more may come.',
  authScopes: VIEWER,
  interfaces: [builder.nodeInterfaceRef()],
  resolveType: eventTypename,
  fields: (t) => ({
    id: t.id({
      description: 'Opaque, prefixed `evt_`. The same event has the same id live and in history.',
      resolve: eventGlobalId,
    }),
    type: t.field({
      type: EventTypeEnum,
      description: 'The type, as filters name it.',
      resolve: ({ event }) => event.eventType,
    }),
    occurredAt: t.field({
      type: 'DateTime',
      description: "The provider's time of it; in a replay that of the original.",
      resolve: ({ event }) => event.timestamp,
    }),
    ingestedAt: t.field({
      type: 'DateTime',
      description: 'When we received it.',
      resolve: ({ event }) => event.ingestedAt,
    }),
    sequence: t.field({
      type: 'Count',
      description: 'Its place among all events of its channel, from 1. Live events come in this order.',
      resolve: ({ event }) => event.sequence,
    }),
    cursor: t.string({
      description:
        'Its place in history: pass it to `events(after:)` to read what followed, such as after a pause.',
      resolve: encodedCursor,
    }),
    source: t.field({
      type: EventSourceEnum,
      description: 'Live, or replayed.',
      resolve: ({ event }) => event.source,
    }),
    history: t.boolean({
      description:
        'Came in the batch that the provider repeats at a (re)connect: show it as past, do not act upon it.',
      resolve: ({ event }) => event.history,
    }),
    actor: t.field({
      type: Actor,
      nullable: true,
      description: 'Who did it. Null for events without a person, and once the person is erased.',
      resolve: eventActor,
    }),
    stream: t.field({
      type: Stream,
      nullable: true,
      description: 'The stream it belongs to. Null once the stream is deleted.',
      resolve: eventStream,
    }),
    session: t.field({
      type: Session,
      nullable: true,
      description: 'The session it came in. Null once the session is deleted.',
      resolve: eventSession,
    }),
  }),
});
