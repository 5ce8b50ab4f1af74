import type { ChannelRow } from '../db/channel.ts';
import { channelOverlayUrl } from '../resolvers/channel.ts';
import { channelConnect, channelDisconnect, overlayKeyRotate } from '../resolvers/channel-mutation.ts';
import { builder } from './builder.ts';
import {
  ChannelNotFound,
  ChannelTaken,
  EmailUnverified,
  NotPermitted,
  TooManyChannels,
} from './member-refusals.ts';
import { Channel } from './refs.ts';
import { OWNERS, withStepUp } from './scopes.ts';
import { InvalidInput, resultTypename } from './user-error.ts';

interface ChannelPayload {
  readonly channel: ChannelRow;
}

const ChannelConnectInput = builder.inputType('ChannelConnectInput', {
  description: 'Which streamer to connect to.',
  fields: (t) => ({
    handle: t.string({
      required: true,
      description: 'The TikTok handle, with or without `@`: 2 to 24 letters, digits, underscores or dots.',
    }),
  }),
});

const ChannelConnectPayload = builder.objectRef<ChannelPayload>('ChannelConnectPayload').implement({
  description: 'The channel is wanted. Watch `connection` for how it goes.',
  authScopes: OWNERS,
  fields: (t) => ({
    channel: t.expose('channel', { type: Channel, description: 'The channel, new or known before.' }),
  }),
});

const ChannelConnectResult = builder.unionType('ChannelConnectResult', {
  description: 'What became of `channelConnect`.',
  types: [ChannelConnectPayload, InvalidInput, EmailUnverified, TooManyChannels, ChannelTaken, NotPermitted],
  resolveType: resultTypename('ChannelConnectPayload'),
});

const ChannelDisconnectInput = builder.inputType('ChannelDisconnectInput', {
  description: 'Which channel to disconnect.',
  fields: (t) => ({ channelId: t.id({ required: true, description: "The channel's id." }) }),
});

const ChannelDisconnectPayload = builder.objectRef<ChannelPayload>('ChannelDisconnectPayload').implement({
  description: 'The channel is not wanted any more. What is stored stays.',
  authScopes: OWNERS,
  fields: (t) => ({ channel: t.expose('channel', { type: Channel, description: 'The channel.' }) }),
});

const ChannelDisconnectResult = builder.unionType('ChannelDisconnectResult', {
  description: 'What became of `channelDisconnect`.',
  types: [ChannelDisconnectPayload, ChannelNotFound, NotPermitted],
  resolveType: resultTypename('ChannelDisconnectPayload'),
});

const OverlayKeyRotateInput = builder.inputType('OverlayKeyRotateInput', {
  description: "Which channel's overlay key to replace.",
  fields: (t) => ({ channelId: t.id({ required: true, description: "The channel's id." }) }),
});

const OverlayKeyRotatePayload = builder.objectRef<ChannelPayload>('OverlayKeyRotatePayload').implement({
  description: 'The overlay key is another one. Overlays with the old one are cut off within 5 s.',
  authScopes: OWNERS,
  fields: (t) => ({
    channel: t.expose('channel', { type: Channel, description: 'The channel.' }),
    overlayUrl: t.string({
      description: 'The new URL for OBS. Treat it like a password.',
      resolve: ({ channel }, _args, ctx) => channelOverlayUrl(channel, {}, ctx),
    }),
  }),
});

const OverlayKeyRotateResult = builder.unionType('OverlayKeyRotateResult', {
  description: 'What became of `overlayKeyRotate`.',
  types: [OverlayKeyRotatePayload, ChannelNotFound, NotPermitted],
  resolveType: resultTypename('OverlayKeyRotatePayload'),
});

builder.mutationFields((t) => ({
  channelConnect: t.field({
    type: ChannelConnectResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ChannelConnectInput, required: true, description: 'Which streamer.' }) },
    description:
      'Connects to a streamer, and stays so: whenever they are live. Doing it again changes nothing. The first user to do it owns the channel: that takes a verified e-mail address.',
    resolve: channelConnect,
  }),
  channelDisconnect: t.field({
    type: ChannelDisconnectResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: ChannelDisconnectInput, required: true, description: 'Which channel.' }) },
    description: 'Disconnects a channel. Doing it again changes nothing. For its owners.',
    resolve: channelDisconnect,
  }),
  overlayKeyRotate: t.field({
    type: OverlayKeyRotateResult,
    authScopes: withStepUp(OWNERS),
    args: { input: t.arg({ type: OverlayKeyRotateInput, required: true, description: 'Which channel.' }) },
    description: "Replaces a channel's overlay key, as when its URL was seen by others. For its owners.",
    resolve: overlayKeyRotate,
  }),
}));
