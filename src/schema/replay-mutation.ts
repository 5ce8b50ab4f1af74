import type { SessionRow } from '../db/session.ts';
import type {
  NoEventsError,
  ReplayNotRunningError,
  SessionNotFoundError,
  SessionStillLiveError,
} from '../events/replay/errors.ts';
import type { Refused } from '../resolvers/refusal.ts';
import { sessionReplay, sessionReplayCancel } from '../resolvers/replay-mutation.ts';
import { builder } from './builder.ts';
import { NotPermitted } from './member-refusals.ts';
import { Session } from './refs.ts';
import { OWNERS } from './scopes.ts';
import { InvalidInput, resultTypename, UserErrorInterface } from './user-error.ts';

interface SessionPayload {
  readonly session: SessionRow;
}

const refusalOptions = { authScopes: OWNERS, interfaces: [UserErrorInterface] };

const SessionNotFound = builder.objectRef<Refused<SessionNotFoundError>>('SessionNotFoundError').implement({
  ...refusalOptions,
  description: 'There is no such session.',
});
const SessionStillLive = builder
  .objectRef<Refused<SessionStillLiveError>>('SessionStillLiveError')
  .implement({
    ...refusalOptions,
    description: 'The session still gets events: a replay would miss the rest of them.',
  });
const NoEvents = builder.objectRef<Refused<NoEventsError>>('NoEventsError').implement({
  ...refusalOptions,
  description: 'The session has nothing stored that could be replayed.',
});
const ReplayNotRunning = builder
  .objectRef<Refused<ReplayNotRunningError>>('ReplayNotRunningError')
  .implement({
    ...refusalOptions,
    description: 'The session is not a replay, or has ended already.',
  });

const SessionReplayInput = builder.inputType('SessionReplayInput', {
  description: 'What to replay, and how fast.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'The session to replay. It must have ended.' }),
    speed: t.float({
      description: 'Times the speed of the original, 0.1 to 1,000. Absent or null: as fast as possible.',
    }),
  }),
});

const SessionReplayPayload = builder.objectRef<SessionPayload>('SessionReplayPayload').implement({
  description: 'The replay was ordered, and begins at once if a worker is free.',
  authScopes: OWNERS,
  fields: (t) => ({
    session: t.expose('session', {
      type: Session,
      description: 'The new session. Its `replay` says how far it is.',
    }),
  }),
});

const SessionReplayResult = builder.unionType('SessionReplayResult', {
  description: 'What became of `sessionReplay`.',
  types: [SessionReplayPayload, InvalidInput, SessionNotFound, SessionStillLive, NoEvents, NotPermitted],
  resolveType: resultTypename('SessionReplayPayload'),
});

const SessionReplayCancelInput = builder.inputType('SessionReplayCancelInput', {
  description: 'Which replay to stop.',
  fields: (t) => ({ sessionId: t.id({ required: true, description: "The replay's own session." }) }),
});

const SessionReplayCancelPayload = builder.objectRef<SessionPayload>('SessionReplayCancelPayload').implement({
  description: 'The replay stops within a second. What has been replayed stays.',
  authScopes: OWNERS,
  fields: (t) => ({ session: t.expose('session', { type: Session, description: "The replay's session." }) }),
});

const SessionReplayCancelResult = builder.unionType('SessionReplayCancelResult', {
  description: 'What became of `sessionReplayCancel`.',
  types: [SessionReplayCancelPayload, InvalidInput, ReplayNotRunning, NotPermitted],
  resolveType: resultTypename('SessionReplayCancelPayload'),
});

builder.mutationFields((t) => ({
  sessionReplay: t.field({
    type: SessionReplayResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: SessionReplayInput, required: true, description: 'What to replay.' }) },
    description: 'Replays a stored session as a new session (source REPLAY) of the same stream.',
    resolve: sessionReplay,
  }),
  sessionReplayCancel: t.field({
    type: SessionReplayCancelResult,
    authScopes: OWNERS,
    args: { input: t.arg({ type: SessionReplayCancelInput, required: true, description: 'Which replay.' }) },
    description: 'Stops a replay that is under way.',
    resolve: sessionReplayCancel,
  }),
}));
