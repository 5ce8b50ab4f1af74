import { assertNever } from '../../lib/assert.ts';
import type { ConnectionEnd, SourceFailure } from '../live-source.ts';
import type { ConnectionState } from './connection-state.ts';

/**
 * The decisions of the supervisor, apart from everything it does: `decide(state, event)` gives the next state and what to
 * do. States of the connection are documented in connection-state.ts; beside them runs the link, the thing itself:
 *
 * | link | there is | ends with |
 * |---|---|---|
 * | NONE | no attempt, no socket | |
 * | OPENING | an attempt to connect | OPENED, FAILED |
 * | CANCELLING | an attempt that was told to stop | FAILED |
 * | OPEN | a socket, and a session on it | CLOSED |
 * | CLOSING | a socket that was told to close | CLOSED |
 *
 * OPEN_LINK is asked for only while the link is NONE, so there are never two connections. While a channel is wanted,
 * there is always either a link or a retry under way, so it is never stuck. Events that do not fit change nothing.
 */
export interface SupervisorState {
  readonly connection: ConnectionState;
  readonly link: 'NONE' | 'OPENING' | 'CANCELLING' | 'OPEN' | 'CLOSING';
  /** Attempts in a row that did not lead to messages. */
  readonly attempt: number;
  /** A stretch of the stream is missing, and messages have not come back yet. */
  readonly gapOpen: boolean;
}

export const INITIAL_STATE: SupervisorState = {
  connection: 'STOPPED',
  link: 'NONE',
  attempt: 0,
  gapOpen: false,
};

export type SupervisorEvent =
  /** Somebody wants the channel connected. */
  | { readonly kind: 'START' }
  /** Nobody does any more. */
  | { readonly kind: 'STOP' }
  | { readonly kind: 'OPENED' }
  | { readonly kind: 'FAILED'; readonly failure: SourceFailure; readonly retryAfterMs: number | null }
  /** An earlier worker left a gap in the stream just joined. */
  | { readonly kind: 'GAP_FOUND' }
  /** Messages of now arrived. */
  | { readonly kind: 'FLOWING' }
  | { readonly kind: 'SILENT' }
  | { readonly kind: 'SILENT_TOO_LONG' }
  /** The socket is gone and everything it brought was read. */
  | { readonly kind: 'CLOSED'; readonly end: ConnectionEnd }
  | { readonly kind: 'RETRY_DUE' };

/** What a pause before the next look is for; its length is configuration. */
export type RetryKind = 'BACKOFF' | 'OFFLINE' | 'ENDED' | 'SUSPENDED' | 'BLOCKED';

export type SupervisorEffect =
  | { readonly kind: 'OPEN_LINK' }
  | { readonly kind: 'CLOSE_LINK' }
  | { readonly kind: 'END_SESSION'; readonly end: ConnectionEnd; readonly willReconnect: boolean }
  | { readonly kind: 'OPEN_GAP'; readonly reason: 'SILENCE' | 'DISCONNECTED' }
  | { readonly kind: 'CLOSE_GAP' }
  /** The stream is over: closes its gap too. */
  | { readonly kind: 'END_STREAM'; readonly reason: 'ENDED' | 'SUSPENDED' | 'OFFLINE' }
  | {
      readonly kind: 'RETRY';
      readonly after: RetryKind;
      readonly attempt: number;
      readonly atLeastMs: number;
    }
  | { readonly kind: 'CANCEL_RETRY' };

export interface Decision {
  readonly state: SupervisorState;
  readonly effects: readonly SupervisorEffect[];
}

/** The next state and what to do, in order. Pure. */
export function decide(state: SupervisorState, event: SupervisorEvent): Decision {
  switch (event.kind) {
    case 'START':
      return onStart(state);
    case 'STOP':
      return onStop(state);
    case 'RETRY_DUE':
      return isWaiting(state) ? openLink(state, []) : stay(state);
    case 'OPENED':
      return state.link === 'OPENING' ? stay({ ...state, connection: 'LIVE', link: 'OPEN' }) : stay(state);
    case 'GAP_FOUND':
      return hasSocket(state) ? stay({ ...state, gapOpen: true }) : stay(state);
    case 'FAILED':
      return onFailed(state, event);
    case 'FLOWING':
      return onFlowing(state);
    case 'SILENT':
      return onSilent(state);
    case 'SILENT_TOO_LONG':
      return onSilentTooLong(state);
    case 'CLOSED':
      return onClosed(state, event.end);
    default:
      return assertNever(event);
  }
}

function stay(state: SupervisorState): Decision {
  return { state, effects: [] };
}

/** Waiting for the next look: wanted, and no link. */
function isWaiting(state: SupervisorState): boolean {
  return state.link === 'NONE' && state.connection !== 'STOPPED';
}

function hasSocket(state: SupervisorState): boolean {
  return state.link === 'OPEN' || state.link === 'CLOSING';
}

function openLink(state: SupervisorState, before: readonly SupervisorEffect[]): Decision {
  return {
    state: { ...state, connection: 'CONNECTING', link: 'OPENING' },
    effects: [...before, { kind: 'OPEN_LINK' }],
  };
}

function onStart(state: SupervisorState): Decision {
  if (state.connection !== 'STOPPED') return stay(state);
  // A link on its way out is waited for: its end opens the next.
  if (state.link !== 'NONE') return stay({ ...state, connection: 'CONNECTING', attempt: 0 });
  return openLink({ ...state, attempt: 0 }, []);
}

function onStop(state: SupervisorState): Decision {
  const stopped: SupervisorState = { ...state, connection: 'STOPPED', attempt: 0 };
  switch (state.link) {
    case 'NONE':
      return { state: stopped, effects: [{ kind: 'CANCEL_RETRY' }] };
    case 'OPENING':
      return { state: { ...stopped, link: 'CANCELLING' }, effects: [{ kind: 'CLOSE_LINK' }] };
    case 'OPEN':
      return { state: { ...stopped, link: 'CLOSING' }, effects: [{ kind: 'CLOSE_LINK' }] };
    case 'CANCELLING':
    case 'CLOSING':
      return stay(stopped);
    default:
      return assertNever(state.link);
  }
}

function onFlowing(state: SupervisorState): Decision {
  if (state.link !== 'OPEN') return stay(state);
  return {
    state: { connection: 'LIVE', link: 'OPEN', attempt: 0, gapOpen: false },
    effects: state.gapOpen ? [{ kind: 'CLOSE_GAP' }] : [],
  };
}

function onSilent(state: SupervisorState): Decision {
  if (state.link !== 'OPEN' || state.connection !== 'LIVE') return stay(state);
  return {
    state: { ...state, connection: 'STALLED', gapOpen: true },
    effects: state.gapOpen ? [] : [{ kind: 'OPEN_GAP', reason: 'SILENCE' }],
  };
}

function onSilentTooLong(state: SupervisorState): Decision {
  if (state.link !== 'OPEN') return stay(state);
  const { effects } = onSilent(state);
  return {
    state: { ...state, connection: 'RECONNECTING', link: 'CLOSING', gapOpen: true },
    effects: [...effects, { kind: 'CLOSE_LINK' }],
  };
}

function onFailed(
  state: SupervisorState,
  event: { readonly failure: SourceFailure; readonly retryAfterMs: number | null },
): Decision {
  if (state.link === 'CANCELLING') {
    const gone: SupervisorState = { ...state, link: 'NONE' };
    return state.connection === 'STOPPED' ? stay(gone) : openLink(gone, []);
  }
  if (state.link !== 'OPENING') return stay(state);
  const failed: SupervisorState = { ...state, link: 'NONE', attempt: state.attempt + 1 };
  const atLeastMs = event.retryAfterMs ?? 0;
  switch (event.failure) {
    case 'OFFLINE':
      return streamOver(failed, 'OFFLINE', [], atLeastMs);
    case 'SUSPENDED':
      return streamOver(failed, 'SUSPENDED', [], atLeastMs);
    case 'UNKNOWN_HANDLE':
      // Nothing will change soon, so the pause is the long one; what a person sees is that nobody is live there.
      return retry({ ...failed, connection: 'OFFLINE' }, 'BLOCKED', [], atLeastMs);
    case 'BLOCKED':
    case 'AGE_RESTRICTED':
      return retry({ ...failed, connection: 'BLOCKED' }, 'BLOCKED', [], atLeastMs);
    case 'RATE_LIMITED':
    case 'SIGN_SERVER':
    case 'NETWORK':
    case 'ABORTED':
      return retry({ ...failed, connection: 'RECONNECTING' }, 'BACKOFF', [], atLeastMs);
    default:
      return assertNever(event.failure);
  }
}

function onClosed(state: SupervisorState, end: ConnectionEnd): Decision {
  if (!hasSocket(state)) return stay(state);
  const closed: SupervisorState = { ...state, link: 'NONE' };
  const over = end.kind === 'STREAM_ENDED' || end.kind === 'STREAM_SUSPENDED';
  const wanted = state.connection !== 'STOPPED';
  const ending: SupervisorEffect[] = [{ kind: 'END_SESSION', end, willReconnect: wanted && !over }];
  if (over) {
    const reason = end.kind === 'STREAM_ENDED' ? 'ENDED' : 'SUSPENDED';
    if (wanted) return streamOver(closed, reason, ending, 0);
    return { state: { ...closed, gapOpen: false }, effects: [...ending, { kind: 'END_STREAM', reason }] };
  }
  if (!state.gapOpen) ending.push({ kind: 'OPEN_GAP', reason: 'DISCONNECTED' });
  const gone: SupervisorState = { ...closed, gapOpen: true };
  if (!wanted) return { state: gone, effects: ending };
  if (state.connection === 'CONNECTING') return openLink(gone, ending); // stopped, and started again since
  const reconnecting: SupervisorState = { ...gone, connection: 'RECONNECTING', attempt: gone.attempt + 1 };
  return retry(reconnecting, 'BACKOFF', ending, 0);
}

/** The stream is over; the channel is looked at again at its pace. */
function streamOver(
  state: SupervisorState,
  reason: 'ENDED' | 'SUSPENDED' | 'OFFLINE',
  before: readonly SupervisorEffect[],
  atLeastMs: number,
): Decision {
  const next: SupervisorState = { ...state, connection: reason, attempt: 0, gapOpen: false };
  return retry(next, reason, [...before, { kind: 'END_STREAM', reason }], atLeastMs);
}

function retry(
  state: SupervisorState,
  after: RetryKind,
  before: readonly SupervisorEffect[],
  atLeastMs: number,
): Decision {
  return { state, effects: [...before, { kind: 'RETRY', after, attempt: state.attempt, atLeastMs }] };
}
