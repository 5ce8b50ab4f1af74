import type { StreamChange } from '../live/stream-changes.ts';
import {
  deliveredChange,
  deliveredEvent,
  streamUpdateChannel,
  streamUpdateStream,
  subscribeEventReceived,
  subscribeStreamUpdated,
} from '../resolvers/subscription.ts';
import { builder } from './builder.ts';
import { EventTypeEnum } from './event-enums.ts';
import { Channel, Event, Stream } from './refs.ts';
import { VIEWER } from './scopes.ts';

const EventFilter = builder.inputType('EventFilter', {
  description: 'Which live events. Everything named must hold.',
  fields: (t) => ({
    types: t.field({
      type: [EventTypeEnum],
      description: 'Any of these types; an empty list matches nothing. Absent or null: every type.',
    }),
    minimumCoins: t.field({
      type: 'Coins',
      description: 'Leaves out gifts whose streak has come to less. Concerns nothing but gifts.',
    }),
    memberId: t.id({ description: 'Done by this audience member. Matches nothing for overlays.' }),
  }),
});

const StreamUpdateKindEnum = builder.enumType('StreamUpdateKind', {
  description: 'Why a stream update came.',
  values: {
    SNAPSHOT: { description: 'The first one: how things stand.' },
    STATE: { description: 'The connection, a session, the stream or a gap changed.' },
    COUNTERS: { description: 'Events came. At most once a second.' },
  } as const,
});

const StreamUpdate = builder.objectRef<StreamChange>('StreamUpdate').implement({
  description: 'How a channel and its stream stand after a change.',
  authScopes: VIEWER,
  fields: (t) => ({
    kind: t.expose('kind', { type: StreamUpdateKindEnum, description: 'Why it came.' }),
    channel: t.field({ type: Channel, description: 'The channel.', resolve: streamUpdateChannel }),
    stream: t.field({
      type: Stream,
      nullable: true,
      description: 'The newest stream, running or over. Null while there has been none.',
      resolve: streamUpdateStream,
    }),
  }),
});

builder.subscriptionFields((t) => ({
  eventReceived: t.field({
    type: Event,
    authScopes: VIEWER,
    args: {
      channelId: t.arg.id({ required: true, description: "The channel's id." }),
      filter: t.arg({ type: EventFilter, description: 'Which events. Absent or null: all.' }),
    },
    description:
      "A channel's events as they come, in the order of `sequence`, each once. A reader that falls behind by 512 events loses likes, joins, viewer counts and unknown messages; when that is not enough, or when the bus may have lost something, the subscription ends with `SUBSCRIPTION_TOO_SLOW` or `SUBSCRIPTION_INTERRUPTED` and `extensions.resumeAfter`, a cursor for `Channel.events`. Overlays are not told `RAW` and `ERROR`.",
    subscribe: subscribeEventReceived,
    resolve: deliveredEvent,
  }),
  streamUpdated: t.field({
    type: StreamUpdate,
    authScopes: VIEWER,
    args: { channelId: t.arg.id({ required: true, description: "The channel's id." }) },
    description:
      'How a channel and its newest stream stand: at once, and after every change. A slow reader gets the newest, not each.',
    subscribe: subscribeStreamUpdated,
    resolve: deliveredChange,
  }),
}));
