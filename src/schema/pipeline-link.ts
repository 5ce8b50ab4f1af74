import type { PipelineLink } from '../health/pipeline-link.ts';
import { queryPipelineHealth } from '../resolvers/pipeline-link.ts';
import { builder } from './builder.ts';
import { READER, VIEWER } from './scopes.ts';

const PipelineLinkNameEnum = builder.enumType('PipelineLinkName', {
  description: 'The links between a room and an overlay, in the order events pass them.',
  values: {
    DATABASE: { description: 'PostgreSQL.' },
    BUS: { description: 'The event bus: Redis, or within the process.' },
    PROVIDER: { description: 'The provider answers us.' },
    SIGN_SERVICE: { description: 'The sign service lets us sign.' },
    ROOM: { description: "The connection to the streamer's room." },
    EVENTS: { description: 'Events come out of the room.' },
    STORAGE: { description: 'Events are stored.' },
    SUBSCRIBERS: { description: 'Somebody listens.' },
    OVERLAY: { description: 'An overlay is connected.' },
  } as const,
});

const LinkStateEnum = builder.enumType('LinkState', {
  description: 'How a link is.',
  values: {
    OK: { description: 'It works.' },
    WARNING: { description: 'It works, or will by itself; but look.' },
    FAILING: { description: 'Nothing passes until somebody acts.' },
    UNKNOWN: { description: 'It could not be looked at.' },
  } as const,
});

const PipelineLinkType = builder.objectRef<PipelineLink>('PipelineLink').implement({
  description: 'One link between a room and an overlay, as it stands.',
  authScopes: VIEWER,
  fields: (t) => ({
    link: t.expose('link', { type: PipelineLinkNameEnum, description: 'Which link.' }),
    state: t.expose('state', { type: LinkStateEnum, description: 'How it is.' }),
    detail: t.exposeString('detail', { description: 'What was found, in a sentence.' }),
    advice: t.exposeString('advice', {
      nullable: true,
      description: 'What to do about it. Null when there is nothing to do.',
    }),
  }),
});

builder.queryField('pipelineHealth', (t) =>
  t.field({
    type: [PipelineLinkType],
    nullable: true,
    authScopes: READER,
    args: { channelId: t.arg.id({ required: true, description: "The channel's id." }) },
    // It looks at every part and may take some seconds: never twice in one operation.
    complexity: { field: 1_100, multiplier: 1 },
    description: 'Why do I see nothing? Every link in order. Null when there is no such channel.',
    resolve: queryPipelineHealth,
  }),
);
