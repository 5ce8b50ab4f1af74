import type { Gifter, StreamMinute, StreamTotals } from '../events/stream-stats.ts';
import { gifterMember } from '../resolvers/stream-stats.ts';
import { builder } from './builder.ts';
import { Member } from './refs.ts';
import { VIEWER } from './scopes.ts';

/** What totals and minutes both count. */
const Counters = builder.interfaceRef<Omit<StreamMinute, 'minute'>>('StreamCounters').implement({
  description: 'What was counted, from stored events. Replays do not count.',
  authScopes: VIEWER,
  fields: (t) => ({
    events: t.expose('events', { type: 'Count', description: 'Events of every type.' }),
    chats: t.expose('chats', { type: 'Count', description: 'Chat messages.' }),
    gifts: t.expose('gifts', { type: 'Count', description: 'Gifts, each of a streak counted.' }),
    coins: t.expose('coins', { type: 'Coins', description: 'What the gifts come to.' }),
    likesSampled: t.expose('likesSampled', {
      type: 'Count',
      description: 'Likes as messages told them: a sample.',
    }),
    follows: t.expose('follows', { type: 'Count', description: 'New followers.' }),
    shares: t.expose('shares', { type: 'Count', description: 'Shares.' }),
    joins: t.expose('joins', { type: 'Count', description: 'Viewers who came in.' }),
    subscribes: t.expose('subscribes', { type: 'Count', description: 'Subscriptions, new and renewed.' }),
    viewersMax: t.expose('viewersMax', { type: 'Count', description: 'The most viewers at one time.' }),
  }),
});

export const Totals = builder.objectRef<StreamTotals>('StreamTotals').implement({
  description: 'What a stream has come to so far.',
  authScopes: VIEWER,
  interfaces: [Counters],
  fields: (t) => ({
    likes: t.expose('likesMax', {
      type: 'Count',
      description: "The provider's own total of likes, the highest seen.",
    }),
    viewersNow: t.expose('viewersNow', { type: 'Count', description: 'Viewers, as last told.' }),
    lastSequence: t.expose('lastSequence', {
      type: 'Count',
      description: 'The `sequence` of the newest event counted, 0 when there is none.',
    }),
    lastEventAt: t.expose('lastEventAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the newest event occurred. Null when there is none.',
    }),
  }),
});

const Minute = builder.objectRef<StreamMinute>('StreamMinute').implement({
  description: 'What happened in one minute of a stream.',
  authScopes: VIEWER,
  interfaces: [Counters],
  fields: (t) => ({
    minute: t.expose('minute', { type: 'DateTime', description: 'Its beginning.' }),
  }),
});

export const StreamMinuteConnection = builder.connectionObject(
  { type: Minute, name: 'StreamMinuteConnection', description: 'A page of minutes.', authScopes: VIEWER },
  { name: 'StreamMinuteEdge', description: 'A minute on its page.', authScopes: VIEWER },
);

const GifterType = builder.objectRef<Gifter>('Gifter').implement({
  description: 'What one person gave during a stream.',
  authScopes: VIEWER,
  fields: (t) => ({
    gifts: t.expose('gifts', { type: 'Count', description: 'Gifts, each of a streak counted.' }),
    coins: t.expose('coins', { type: 'Coins', description: 'What they come to.' }),
    lastGiftAt: t.expose('lastGiftAt', { type: 'DateTime', description: 'When the last one was given.' }),
    member: t.field({
      type: Member,
      nullable: true,
      description: 'Who gave. Null once erased: what they gave still counts.',
      resolve: gifterMember,
    }),
  }),
});

export const GifterConnection = builder.connectionObject(
  { type: GifterType, name: 'GifterConnection', description: 'A page of gifters.', authScopes: VIEWER },
  { name: 'GifterEdge', description: 'A gifter on their page.', authScopes: VIEWER },
);
