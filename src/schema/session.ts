import type { ReplayRow } from '../db/session.ts';
import { sessionEvents } from '../resolvers/history.ts';
import { querySession, replayOf, sessionStream } from '../resolvers/session.ts';
import { builder } from './builder.ts';
import { connectionCost } from './connection.ts';
import { EventConnection, eventArguments } from './event-connection.ts';
import { EventSourceEnum } from './event-enums.ts';
import { Session, Stream } from './refs.ts';
import { itsChannel, READER, typeInChannel, VIEWER } from './scopes.ts';

const SessionStateEnum = builder.enumType('SessionState', {
  description: 'The states of a session.',
  values: {
    LIVE: { description: 'Under way.' },
    STALLED: { description: 'Under way, but silent for longer than is normal.' },
    ENDED: { description: 'Over, as it should be.' },
    FAILED: { description: 'Over, by an error. See `stateReason`.' },
    CANCELLED: { description: 'A replay that somebody cancelled.' },
  } as const,
});

const ReplayProgress = builder.objectRef<ReplayRow>('ReplayProgress').implement({
  description: 'How far a replay is.',
  authScopes: VIEWER,
  fields: (t) => ({
    original: t.field({
      type: Session,
      nullable: true,
      description: 'The session that is replayed. Null once it is deleted.',
      resolve: replayOf,
    }),
    speed: t.exposeFloat('speed', {
      nullable: true,
      description: 'Times real speed. Null: as fast as possible.',
    }),
    eventsTotal: t.expose('eventsTotal', {
      type: 'Count',
      nullable: true,
      description: 'Events to replay. Null until counted.',
    }),
    eventsDone: t.expose('eventsDone', { type: 'Count', description: 'Events replayed.' }),
    cancelRequested: t.exposeBoolean('cancelRequested', {
      description: 'Whether somebody asked for it to stop.',
    }),
  }),
});

Session.implement({
  description: 'One connection to a stream, or one replay of an earlier session.',
  authScopes: typeInChannel('HISTORY_READ', itsChannel),
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Opaque, prefixed `ses_`.' }),
    source: t.expose('source', { type: EventSourceEnum, description: 'A live connection, or a replay.' }),
    state: t.expose('state', { type: SessionStateEnum, description: 'The state.' }),
    stateReason: t.exposeString('stateReason', {
      nullable: true,
      description: 'A sentence for a person. Null when there is nothing to say.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended. Null while it is under way.',
    }),
    replay: t.expose('replay', {
      type: ReplayProgress,
      nullable: true,
      description: 'How far the replay is. Null for a live session.',
    }),
    stream: t.field({ type: Stream, description: 'The stream it belongs to.', resolve: sessionStream }),
    events: t.field({
      type: EventConnection,
      args: eventArguments,
      complexity: connectionCost,
      description: 'Its stored events. The only place where texts can be searched.',
      resolve: sessionEvents,
    }),
  }),
});

export const SessionConnection = builder.connectionObject(
  { type: Session, name: 'SessionConnection', description: 'A page of sessions.', authScopes: VIEWER },
  { name: 'SessionEdge', description: 'A session on its page.', authScopes: VIEWER },
);

builder.queryField('session', (t) =>
  t.field({
    type: Session,
    nullable: true,
    authScopes: READER,
    args: { id: t.arg.id({ required: true, description: "The session's id." }) },
    description: 'A session by its id. Null when there is none.',
    resolve: querySession,
  }),
);
