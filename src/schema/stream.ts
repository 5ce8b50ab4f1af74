import { streamEvents } from '../resolvers/history.ts';
import { queryStream, streamChannel, streamGaps, streamSessions } from '../resolvers/stream.ts';
import { streamMinuteConnection, streamTopGifters, streamTotals } from '../resolvers/stream-stats.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { EventConnection, eventArguments } from './event-connection.ts';
import { GapConnection } from './gap.ts';
import { ProviderEnum } from './provider.ts';
import { Channel, Stream } from './refs.ts';
import { inItsChannel, itsChannel, READER, typeInChannel, VIEWER } from './scopes.ts';
import { SessionConnection } from './session.ts';
import { GifterConnection, StreamMinuteConnection, Totals } from './stream-stats.ts';

const StreamEndReasonEnum = builder.enumType('StreamEndReason', {
  description: 'How a stream ended.',
  values: {
    ENDED: { description: 'The streamer ended it.' },
    SUSPENDED: { description: 'The provider suspended it.' },
    OFFLINE: { description: 'It was gone when we looked again.' },
  } as const,
});

Stream.implement({
  description: 'One room of a provider: from going live to ending.',
  authScopes: typeInChannel('CHANNEL_VIEW', itsChannel),
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `str_`.' }),
    simulated: t.exposeBoolean('simulated', {
      description: 'Made by the simulator: nothing in it is real. Say so wherever it is shown.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When we first saw it live.' }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended. Null while it runs.',
    }),
    endReason: t.expose('endReason', {
      type: StreamEndReasonEnum,
      nullable: true,
      description: 'How it ended. Null while it runs.',
    }),
    channel: t.field({
      type: Channel,
      description: 'Whose stream it is.',
      resolve: streamChannel,
    }),
    provider: t.expose('provider', {
      type: ProviderEnum,
      description: 'Where it is streamed.',
    }),
    externalId: t.exposeString('externalId', {
      description: "The provider's id of the room.",
    }),
    title: t.exposeString('title', {
      nullable: true,
      description: 'The title as the streamer wrote it. Null when the provider did not tell.',
    }),
    totals: t.field({
      type: Totals,
      authScopes: inItsChannel('ANALYTICS_TOTALS'),
      description: 'What it has come to so far, from stored events.',
      resolve: streamTotals,
    }),
    minutes: t.field({
      type: StreamMinuteConnection,
      authScopes: inItsChannel('ANALYTICS_FULL'),
      args: {
        ...pageArguments,
        from: t.arg({ type: 'DateTime', description: 'Minutes that begin at this moment or later.' }),
        to: t.arg({ type: 'DateTime', description: 'Minutes that begin before this moment.' }),
      },
      complexity: connectionCost,
      description: 'The minutes in which something happened, oldest first; quiet ones are left out.',
      resolve: streamMinuteConnection,
    }),
    topGifters: t.field({
      type: GifterConnection,
      authScopes: inItsChannel('ANALYTICS_FULL'),
      args: pageArguments,
      complexity: connectionCost,
      description: 'Who gave, most coins first.',
      resolve: streamTopGifters,
    }),
    sessions: t.field({
      type: SessionConnection,
      authScopes: inItsChannel('HISTORY_READ'),
      args: pageArguments,
      complexity: connectionCost,
      description: 'Our connections to it and its replays, newest first.',
      resolve: streamSessions,
    }),
    gaps: t.field({
      type: GapConnection,
      authScopes: inItsChannel('HISTORY_READ'),
      args: pageArguments,
      complexity: connectionCost,
      description: 'Stretches of which we cannot claim to have everything, oldest first.',
      resolve: streamGaps,
    }),
    events: t.field({
      type: EventConnection,
      authScopes: inItsChannel('HISTORY_READ'),
      args: eventArguments,
      complexity: connectionCost,
      description: 'Its stored events.',
      resolve: streamEvents,
    }),
  }),
});

export const StreamConnection = builder.connectionObject(
  { type: Stream, name: 'StreamConnection', description: 'A page of streams.', authScopes: VIEWER },
  { name: 'StreamEdge', description: 'A stream on its page.', authScopes: VIEWER },
);

builder.queryField('stream', (t) =>
  t.field({
    type: Stream,
    nullable: true,
    authScopes: READER,
    args: { id: t.arg.id({ required: true, description: "The stream's id." }) },
    description: 'A stream by its id. Null when there is none.',
    resolve: queryStream,
  }),
);
