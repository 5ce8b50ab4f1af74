import type { EmoteRef } from '../events/unified-event.ts';
import { payloadAliases, personalText, type ShownEvent } from '../resolvers/event.ts';
import { builder } from './builder.ts';
import { eventTypeOptions, eventTypeRef } from './event-type.ts';
import { asNull, redacted } from './redaction.ts';
import { VIEWER } from './scopes.ts';

const Emote = builder.objectRef<EmoteRef>('Emote').implement({
  description: "A picture of the creator's own in a message.",
  authScopes: VIEWER,
  fields: (t) => ({
    emoteId: t.exposeString('emoteId', { description: "The provider's id of the emote." }),
    emoteImageUrl: t.exposeString('emoteImageUrl', {
      nullable: true,
      description: "The picture, on the provider's servers. Null when the provider did not tell.",
    }),
  }),
});

const TEXT_NULL =
  'Null once the provider deleted it or the person was erased, and for who may not see personal data.';

const shownText = (shown: ShownEvent<'CHAT' | 'QUESTION'>): string | null =>
  personalText(shown, shown.event.payload.message);

eventTypeRef('CHAT').implement({
  ...eventTypeOptions,
  description: 'Somebody wrote in the chat.',
  fields: (t) => ({
    message: t.string({
      nullable: true,
      description: `What they wrote. Personal. Text, not markup: escape it. ${TEXT_NULL}`,
      ...redacted('PII_SCREEN', shownText, asNull),
    }),
    language: t.string({
      nullable: true,
      description: 'BCP 47, as the provider guessed it. Null when it did not.',
      resolve: ({ event }) => event.payload.language,
    }),
    emotes: t.field({
      type: [Emote],
      description: 'The emotes in the message.',
      resolve: ({ event }) => event.payload.emotes,
    }),
  }),
});

eventTypeRef('QUESTION').implement({
  ...eventTypeOptions,
  description: 'Somebody asked a question in the Q&A.',
  fields: (t) => ({
    questionId: t.string({
      description: "The provider's id of the question.",
      resolve: ({ event }) => event.payload.questionId,
    }),
    message: t.string({
      nullable: true,
      description: `The question. Personal. Text, not markup: escape it. ${TEXT_NULL}`,
      ...redacted('PII_SCREEN', shownText, asNull),
    }),
  }),
});

eventTypeRef('EMOTE').implement({
  ...eventTypeOptions,
  description: 'Somebody sent an emote as a message of its own.',
  fields: (t) => ({
    emote: t.field({ type: Emote, description: 'The emote.', resolve: ({ event }) => event.payload }),
  }),
});

eventTypeRef('MESSAGE_DELETED').implement({
  ...eventTypeOptions,
  description: "The provider deleted people's messages: take what they wrote off the screen.",
  fields: (t) => ({
    aliases: t.stringList({
      description: 'Whose messages, as `EventActor.alias` names them. Empty once erased.',
      resolve: (shown, _args, ctx) => payloadAliases(shown, shown.event.payload.userIds, ctx),
    }),
    externalIds: t.stringList({
      description:
        "Whose messages, by the provider's ids. Personal. Empty once erased, and for who may not see names.",
      ...redacted(
        'PII_READ',
        ({ event }: ShownEvent<'MESSAGE_DELETED'>) => event.payload.userIds,
        () => [],
      ),
    }),
  }),
});
