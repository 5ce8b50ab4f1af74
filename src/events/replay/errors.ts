import { UserError } from '../../errors/errors.ts';
import type { SessionId } from '../../lib/ids.ts';

/** There is no such session. */
export class SessionNotFoundError extends UserError {
  override readonly name = 'SessionNotFoundError';
  readonly code = 'SESSION_NOT_FOUND';
  readonly sessionId: SessionId;

  constructor(sessionId: SessionId) {
    super(`There is no session ${sessionId}.`);
    this.sessionId = sessionId;
  }
}

/** The session still gets events: a replay would miss the rest of them. */
export class SessionStillLiveError extends UserError {
  override readonly name = 'SessionStillLiveError';
  readonly code = 'SESSION_STILL_LIVE';
  readonly sessionId: SessionId;

  constructor(sessionId: SessionId) {
    super('This session is still running: it can be replayed once it has ended.');
    this.sessionId = sessionId;
  }
}

/** The session has nothing stored that could be replayed. */
export class NoEventsError extends UserError {
  override readonly name = 'NoEventsError';
  readonly code = 'NO_EVENTS';

  constructor() {
    super('There are no events to replay.');
  }
}

/** How slow and how fast a replay may be, times the speed of the original. */
export const REPLAY_SPEED_MIN = 0.1;
export const REPLAY_SPEED_MAX = 1_000;

/** The speed of a replay is outside its bounds. */
export class ReplaySpeedError extends UserError {
  override readonly name = 'ReplaySpeedError';
  readonly code = 'REPLAY_SPEED_INVALID';

  constructor() {
    super(
      `The speed of a replay is between ${REPLAY_SPEED_MIN} and ${REPLAY_SPEED_MAX}, or not given: as fast as possible.`,
    );
  }
}

/**
 * Null is as fast as possible.
 * @throws ReplaySpeedError
 */
export function requireReplaySpeed(speed: number | null): void {
  // Written so that NaN is refused as well.
  if (speed !== null && !(speed >= REPLAY_SPEED_MIN && speed <= REPLAY_SPEED_MAX))
    throw new ReplaySpeedError();
}

/** The session is not a replay, or has ended already. */
export class ReplayNotRunningError extends UserError {
  override readonly name = 'ReplayNotRunningError';
  readonly code = 'REPLAY_NOT_RUNNING';
  readonly sessionId: SessionId;

  constructor(sessionId: SessionId) {
    super('This is not a running replay.');
    this.sessionId = sessionId;
  }
}
