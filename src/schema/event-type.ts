import type { EventType } from '../events/unified-event.ts';
import { EVENT_TYPENAMES, type ShownEvent } from '../resolvers/event.ts';
import { builder } from './builder.ts';
import { Event } from './refs.ts';
import { VIEWER } from './scopes.ts';

/** The options every type of event has in common. */
export const eventTypeOptions = { authScopes: VIEWER, interfaces: [builder.nodeInterfaceRef(), Event] };

/** The object type of an event type, to be implemented. */
export function eventTypeRef<T extends EventType>(type: T) {
  return builder.objectRef<ShownEvent<T>>(EVENT_TYPENAMES[type]);
}
