import type { ChannelPermission } from '../auth/permissions.ts';
import type { ChannelRow } from '../db/channel.ts';
import {
  channelMembers,
  channelOverlaysConnected,
  channelOverlayUrl,
  channelStreams,
  channelSubscribers,
  queryChannel,
  queryChannelByHandle,
  queryChannels,
} from '../resolvers/channel.ts';
import { channelEvents } from '../resolvers/history.ts';
import { builder } from './builder.ts';
import { connectionCost, pageArguments } from './connection.ts';
import { ConnectionStatus } from './connection-status.ts';
import { EventConnection, eventArguments } from './event-connection.ts';
import { ProviderEnum } from './provider.ts';
import { Channel, Member, Stream } from './refs.ts';
import { inChannel, READER, typeInChannel, VIEWER } from './scopes.ts';
import { StreamConnection } from './stream.ts';

/** A permission in the channel itself. */
const ofChannel = (permission: ChannelPermission) => inChannel(permission, ({ id }: ChannelRow) => id);

Channel.implement({
  description: "A creator's place here. Overlays see their own, and of it what is on air.",
  authScopes: typeInChannel('CHANNEL_VIEW', ({ id }: ChannelRow) => id),
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `chn_`.' }),
    provider: t.expose('provider', {
      authScopes: ofChannel('CHANNEL_DETAILS'),
      type: ProviderEnum,
      description: 'Where the creator streams.',
    }),
    handle: t.exposeString('handle', {
      authScopes: ofChannel('CHANNEL_DETAILS'),
      description: "The creator's handle, lower case, without `@`.",
    }),
    wanted: t.exposeBoolean('wanted', {
      authScopes: ofChannel('CHANNEL_DETAILS'),
      description: 'Whether somebody wants it connected. See `channelConnect`.',
    }),
    createdAt: t.expose('createdAt', {
      authScopes: ofChannel('CHANNEL_DETAILS'),
      type: 'DateTime',
      description: 'When it was made here.',
    }),
    connection: t.expose('connection', {
      type: ConnectionStatus,
      description: 'Where the connection to the provider stands.',
    }),
    overlaysConnected: t.int({
      authScopes: ofChannel('OVERLAY_VIEW'),
      complexity: 2,
      description: 'Overlays connected now, over all processes. One that vanished counts for up to 15 s.',
      resolve: channelOverlaysConnected,
    }),
    subscribers: t.int({
      authScopes: ofChannel('OVERLAY_VIEW'),
      complexity: 2,
      description: "Live subscriptions open now, over all processes, the overlays' among them.",
      resolve: channelSubscribers,
    }),
    currentStream: t.field({
      type: Stream,
      nullable: true,
      description: 'The newest stream, running or over. Null while there has been none.',
      resolve: ({ id }, _args, { loaders }) => loaders.latestStreams.load(id),
    }),
    streams: t.field({
      type: StreamConnection,
      authScopes: ofChannel('HISTORY_READ'),
      args: pageArguments,
      complexity: connectionCost,
      description: 'Its streams, newest first.',
      resolve: channelStreams,
    }),
    events: t.field({
      type: EventConnection,
      authScopes: ofChannel('HISTORY_READ'),
      args: eventArguments,
      complexity: connectionCost,
      description: 'Its stored events.',
      resolve: channelEvents,
    }),
    members: t.field({
      type: [Member],
      authScopes: ofChannel('PII_READ'),
      args: {
        handle: t.arg.string({ required: true, description: 'A handle, with or without `@`, in any case.' }),
      },
      complexity: { field: 2, multiplier: 5 },
      description:
        'The audience members whose handle this is, as last seen; the latest seen first, 20 at most.',
      resolve: channelMembers,
    }),
    overlayUrl: t.string({
      authScopes: ofChannel('OVERLAY_MANAGE'),
      description:
        'The URL to paste into OBS as a browser source. It holds the overlay key: treat it like a password.',
      resolve: channelOverlayUrl,
    }),
  }),
});

export const ChannelConnection = builder.connectionObject(
  { type: Channel, name: 'ChannelConnection', description: 'A page of channels.', authScopes: VIEWER },
  { name: 'ChannelEdge', description: 'A channel on its page.', authScopes: VIEWER },
);

builder.queryFields((t) => ({
  channel: t.field({
    type: Channel,
    nullable: true,
    authScopes: VIEWER,
    args: { id: t.arg.id({ required: true, description: "The channel's id." }) },
    description: 'A channel by its id. Null when there is none that the key may see.',
    resolve: queryChannel,
  }),
  channelByHandle: t.field({
    type: Channel,
    nullable: true,
    authScopes: READER,
    args: {
      handle: t.arg.string({ required: true, description: 'The handle, with or without `@`, in any case.' }),
      provider: t.arg({
        type: ProviderEnum,
        required: true,
        defaultValue: 'TIKTOK',
        description: 'Where the creator streams.',
      }),
    },
    description: "A channel by the creator's handle. Null when there is none that you may see.",
    resolve: queryChannelByHandle,
  }),
  channels: t.field({
    type: ChannelConnection,
    authScopes: READER,
    args: pageArguments,
    complexity: connectionCost,
    description: 'The channels that you may see, in the order they were made.',
    resolve: queryChannels,
  }),
}));
