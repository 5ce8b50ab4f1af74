import { gapStream } from '../resolvers/stream.ts';
import { builder } from './builder.ts';
import { Gap, Stream } from './refs.ts';
import { itsChannel, typeInChannel, VIEWER } from './scopes.ts';

const GapReasonEnum = builder.enumType('GapReason', {
  description: 'Why a stretch of a stream may be incomplete.',
  values: {
    SILENCE: { description: 'Connected, but nothing came for longer than is normal.' },
    DISCONNECTED: { description: 'We were not connected.' },
    RESTART: { description: 'The process that read the stream was restarted.' },
    OVERLOAD: { description: 'More came than could be taken in.' },
  } as const,
});

Gap.implement({
  description: 'A stretch of a stream of which we cannot claim to have everything.',
  authScopes: typeInChannel('HISTORY_READ', itsChannel),
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `gap_`.' }),
    from: t.expose('from', { type: 'DateTime', description: 'The last moment known to be complete.' }),
    to: t.expose('to', {
      type: 'DateTime',
      nullable: true,
      description: 'From when on it is complete again. Null while the gap is open.',
    }),
    reason: t.expose('reason', { type: GapReasonEnum, description: 'Why.' }),
    stream: t.field({ type: Stream, description: 'The stream it is in.', resolve: gapStream }),
  }),
});

export const GapConnection = builder.connectionObject(
  { type: Gap, name: 'GapConnection', description: 'A page of gaps.', authScopes: VIEWER },
  { name: 'GapEdge', description: 'A gap on its page.', authScopes: VIEWER },
);
