import type { ConnectionRow } from '../db/channel.ts';
import { builder } from './builder.ts';
import { VIEWER } from './scopes.ts';

const ConnectionStateEnum = builder.enumType('ConnectionState', {
  description: "The states of a channel's connection to its provider.",
  values: {
    CONNECTING: { description: 'Looking for the room, signing, opening the socket.' },
    LIVE: { description: 'Messages arrive.' },
    STALLED: { description: 'Connected, but silent for longer than is normal. A gap is open.' },
    RECONNECTING: { description: 'Waiting before the next attempt. See `retryAt`.' },
    OFFLINE: { description: 'The streamer is not live. Looked at again from time to time.' },
    ENDED: { description: 'The stream just seen is over. Looked at again from time to time.' },
    SUSPENDED: { description: 'The provider suspended the stream. Looked at again rarely.' },
    BLOCKED: { description: 'The provider or the sign server refuses us. Looked at again rarely.' },
    STOPPED: { description: 'Nobody wants this channel connected.' },
  } as const,
});

export const ConnectionStatus = builder.objectRef<ConnectionRow>('ConnectionStatus').implement({
  description: "Where a channel's connection to its provider stands.",
  authScopes: VIEWER,
  fields: (t) => ({
    state: t.expose('state', { type: ConnectionStateEnum, description: 'The state.' }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'A sentence for a person. Null when there is nothing to say.',
    }),
    since: t.expose('since', { type: 'DateTime', description: 'Since when it is in this state.' }),
    retryAt: t.expose('retryAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again. Null when no attempt is planned.',
    }),
    attempt: t.exposeInt('attempt', { description: 'Attempts since it was last live, 0 when none failed.' }),
  }),
});
