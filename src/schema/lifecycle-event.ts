import { personalText, type ShownEvent } from '../resolvers/event.ts';
import { builder } from './builder.ts';
import { eventTypeOptions, eventTypeRef } from './event-type.ts';
import { ProviderEnum } from './provider.ts';
import { asNull, redacted } from './redaction.ts';

eventTypeRef('CONNECTED').implement({
  ...eventTypeOptions,
  description: 'We connected to the room.',
  fields: (t) => ({
    provider: t.field({
      type: ProviderEnum,
      description: 'Whose room.',
      resolve: ({ event }) => event.payload.provider,
    }),
  }),
});

eventTypeRef('DISCONNECTED').implement({
  ...eventTypeOptions,
  description: 'The connection to the room ended.',
  fields: (t) => ({
    code: t.int({
      description: "The WebSocket's close code.",
      resolve: ({ event }) => event.payload.code,
    }),
    reason: t.string({
      description: 'Why, in words.',
      resolve: ({ event }) => event.payload.reason,
    }),
    willReconnect: t.boolean({
      description: 'Whether we connect again by ourselves.',
      resolve: ({ event }) => event.payload.willReconnect,
    }),
  }),
});

const StreamEndEventReasonEnum = builder.enumType('StreamEndEventReason', {
  description: 'How the provider said that the stream ended.',
  values: {
    ENDED: { description: 'The streamer ended it.' },
    SUSPENDED: { description: 'The provider suspended it.' },
  } as const,
});

eventTypeRef('STREAM_END').implement({
  ...eventTypeOptions,
  description: 'The stream ended.',
  fields: (t) => ({
    reason: t.field({
      type: StreamEndEventReasonEnum,
      description: 'How.',
      resolve: ({ event }) => event.payload.reason,
    }),
  }),
});

eventTypeRef('ERROR').implement({
  ...eventTypeOptions,
  description: 'Something went wrong on our side. Not told to overlays.',
  fields: (t) => ({
    code: t.string({
      description: 'What went wrong, for programs.',
      resolve: ({ event }) => event.payload.code,
    }),
    message: t.string({
      nullable: true,
      description: 'What went wrong, in words. Null once erased, and for who may not see names.',
      ...redacted(
        'PII_READ',
        (shown: ShownEvent<'ERROR'>) => personalText(shown, shown.event.payload.message),
        asNull,
      ),
    }),
    stack: t.string({
      nullable: true,
      description: 'Where in the code. Null outside development, and for who may not see names.',
      ...redacted('PII_READ', ({ event }: ShownEvent<'ERROR'>) => event.payload.stack, asNull),
    }),
  }),
});

eventTypeRef('RAW').implement({
  ...eventTypeOptions,
  description: 'A message of the provider that this version does not know. Not told to overlays.',
  fields: (t) => ({
    rawType: t.string({
      description: "The provider's name for the type.",
      resolve: ({ event }) => event.payload.rawType,
    }),
    dataJson: t.string({
      nullable: true,
      description:
        'The message as JSON text, people replaced by pseudonyms. Null once erased, and for who may not see names.',
      ...redacted(
        'PII_READ',
        (shown: ShownEvent<'RAW'>) => personalText(shown, JSON.stringify(shown.event.payload.data)),
        asNull,
      ),
    }),
  }),
});
