import { mayInChannel } from '../auth/permissions.ts';
import type { AppContext } from '../context.ts';
import type { SessionRow } from '../db/session.ts';
import { InvalidInputError } from '../errors/invalid-input.ts';
import { NotPermittedError } from '../errors/not-permitted.ts';
import {
  NoEventsError,
  ReplayNotRunningError,
  ReplaySpeedError,
  SessionNotFoundError,
  SessionStillLiveError,
} from '../events/replay/errors.ts';
import { cancelReplay, requestReplay } from '../events/replay/replay.ts';
import { assert } from '../lib/assert.ts';
import { parseId, type SessionId } from '../lib/ids.ts';
import { orRefusal, type Refused } from './refusal.ts';

interface SessionPayload {
  readonly session: SessionRow;
}
type ReplayRefusal =
  | InvalidInputError
  | SessionNotFoundError
  | SessionStillLiveError
  | NoEventsError
  | NotPermittedError;
type CancelRefusal = InvalidInputError | ReplayNotRunningError | NotPermittedError;

export function sessionReplay(
  _root: unknown,
  { input }: { readonly input: { readonly sessionId: string; readonly speed?: number | null | undefined } },
  ctx: AppContext,
): Promise<SessionPayload | Refused<ReplayRefusal>> {
  return orRefusal<SessionPayload, ReplayRefusal>(async () => {
    const sessionId = parsedSessionId(input.sessionId);
    if (!(await mayReplay(sessionId, ctx))) throw new SessionNotFoundError(sessionId);
    try {
      const id = await requestReplay(ctx.services, { sessionId, speed: input.speed ?? null });
      return await loadedSession(id, ctx);
    } catch (error) {
      if (!(error instanceof ReplaySpeedError)) throw error;
      throw new InvalidInputError([{ path: ['speed'], code: 'OUT_OF_RANGE', message: error.message }]);
    }
  }, [InvalidInputError, SessionNotFoundError, SessionStillLiveError, NoEventsError, NotPermittedError]);
}

export function sessionReplayCancel(
  _root: unknown,
  { input }: { readonly input: { readonly sessionId: string } },
  ctx: AppContext,
): Promise<SessionPayload | Refused<CancelRefusal>> {
  return orRefusal<SessionPayload, CancelRefusal>(async () => {
    const sessionId = parsedSessionId(input.sessionId);
    if (!(await mayReplay(sessionId, ctx))) throw new ReplayNotRunningError(sessionId);
    await cancelReplay(ctx.services, { sessionId });
    return await loadedSession(sessionId, ctx);
  }, [InvalidInputError, ReplayNotRunningError, NotPermittedError]);
}

/** False for a session that is not there or may not be seen. @throws NotPermittedError for one that may only be seen */
async function mayReplay(sessionId: SessionId, { viewer, loaders }: AppContext): Promise<boolean> {
  const session = await loaders.sessions.load(sessionId);
  if (session === null || !mayInChannel(viewer, session.channelId, 'HISTORY_READ')) return false;
  if (!mayInChannel(viewer, session.channelId, 'REPLAY_RUN')) throw new NotPermittedError();
  loaders.clear(); // it is about to change
  return true;
}

/** @throws InvalidInputError */
function parsedSessionId(text: string): SessionId {
  const id = parseId('session', text);
  if (id !== undefined) return id;
  const message = 'sessionId is the id of a session: ses_ and 32 hexadecimal digits.';
  throw new InvalidInputError([{ path: ['sessionId'], code: 'INVALID_FORMAT', message }]);
}

async function loadedSession(id: SessionId, { loaders }: AppContext): Promise<SessionPayload> {
  const session = await loaders.sessions.load(id);
  assert(session !== null, 'a session that was just written is there');
  return { session };
}
