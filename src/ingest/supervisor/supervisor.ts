import { raceAbort } from '../../lib/abort.ts';
import { assertNever } from '../../lib/assert.ts';
import { type BackoffOptions, backoffMs, jittered } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import {
  type ConnectionEnd,
  type LiveSource,
  type SourceConnection,
  SourceError,
  type SourceMessage,
} from '../live-source.ts';
import type { Scheduler } from '../scheduler.ts';
import type { ConnectionState } from './connection-state.ts';
import { type SilenceLimits, SilenceWatchdog } from './silence-watchdog.ts';
import {
  decide,
  INITIAL_STATE,
  type RetryKind,
  type SupervisorEffect,
  type SupervisorEvent,
  type SupervisorState,
} from './supervisor-machine.ts';

/** What the supervisor keeps connected: it decides when, the room does what is to be done with what comes. */
export interface SupervisedRoom {
  /**
   * Makes ready for the connection's messages. Resolves with true when an earlier worker left a gap in this stream.
   * Rejects when `signal` is aborted.
   */
  beginSession(connection: SourceConnection, signal: AbortSignal): Promise<boolean>;
  /** Takes messages in; a promise when the next are to wait. */
  accept(messages: readonly SourceMessage[]): Promise<void> | null;
  /** Ends what `beginSession` began; without that, does nothing. */
  endSession(end: { readonly end: ConnectionEnd; readonly willReconnect: boolean }): void;
  openGap(gap: { readonly reason: 'SILENCE' | 'DISCONNECTED'; readonly fromMs: number }): void;
  closeGap(toMs: number): void;
  endStream(reason: 'ENDED' | 'SUSPENDED' | 'OFFLINE'): void;
  attemptFailed(error: SourceError): void;
  report(report: ConnectionReport): void;
}

/** Where the connection stands. Times are milliseconds since the epoch. */
export interface ConnectionReport {
  readonly state: ConnectionState;
  /** A sentence for a person, null when all is well. */
  readonly reason: string | null;
  readonly since: number;
  readonly retryAt: number | null;
  readonly attempt: number;
}

export interface SupervisorOptions {
  readonly backoff: BackoffOptions;
  readonly silence: SilenceLimits;
  /** Pauses between looks at a channel that is not live, by why, in milliseconds (± 20 %). */
  readonly offlinePollMs: number;
  readonly suspendedPollMs: number;
  readonly blockedPollMs: number;
}

export interface SupervisorDeps {
  readonly source: LiveSource;
  readonly room: SupervisedRoom;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly logger: Logger;
}

/** Keeps one channel connected for as long as it is wanted. Does what `decide` decides; owns the link and the timers. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #handle: string;
  readonly #options: SupervisorOptions;
  #state: SupervisorState = INITIAL_STATE;
  #since: number;
  #reason: string | null = null;
  #retryAt: number | null = null;
  #cancelRetry: () => void = () => {};
  #link: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();
  #lastHeardAt: number;

  constructor(deps: SupervisorDeps, handle: string, options: SupervisorOptions) {
    this.#deps = deps;
    this.#handle = handle;
    this.#options = options;
    this.#since = deps.clock.nowMs();
    this.#lastHeardAt = this.#since;
  }

  /** Where the connection stands. */
  get state(): ConnectionState {
    return this.#state.connection;
  }

  /** Wants the channel connected. Idempotent. */
  start(): void {
    this.#dispatch({ kind: 'START' });
  }

  /** Wants it no more. Resolves when the link is gone and its session ended; idempotent. */
  async stop(): Promise<void> {
    this.#reason = null;
    this.#dispatch({ kind: 'STOP' });
    while (this.#link !== null) await this.#running;
  }

  #dispatch(event: SupervisorEvent): void {
    const before = this.#state;
    const { state, effects } = decide(before, event);
    this.#state = state;
    if (state.connection !== before.connection) {
      this.#since = this.#deps.clock.nowMs();
      this.#retryAt = null;
    }
    for (const effect of effects) this.#perform(effect);
    const changed = state.connection !== before.connection || state.attempt !== before.attempt;
    if (changed) this.#report();
  }

  #perform(effect: SupervisorEffect): void {
    const { room, clock } = this.#deps;
    switch (effect.kind) {
      case 'OPEN_LINK':
        this.#link = new AbortController();
        this.#running = this.#runLink(this.#link);
        return;
      case 'CLOSE_LINK':
        this.#link?.abort();
        return;
      case 'END_SESSION':
        room.endSession(effect);
        return;
      case 'OPEN_GAP':
        room.openGap({ reason: effect.reason, fromMs: this.#lastHeardAt });
        return;
      case 'CLOSE_GAP':
        room.closeGap(clock.nowMs());
        return;
      case 'END_STREAM':
        room.endStream(effect.reason);
        return;
      case 'RETRY':
        this.#retryLater(Math.max(this.#pauseMs(effect.after, effect.attempt), effect.atLeastMs));
        return;
      case 'CANCEL_RETRY':
        this.#cancelRetry();
        return;
      default:
        assertNever(effect);
    }
  }

  #pauseMs(after: RetryKind, attempt: number): number {
    const { random } = this.#deps;
    switch (after) {
      case 'BACKOFF':
        return backoffMs(attempt, random, this.#options.backoff);
      case 'OFFLINE':
      case 'ENDED':
        return jittered(this.#options.offlinePollMs, random);
      case 'SUSPENDED':
        return jittered(this.#options.suspendedPollMs, random);
      case 'BLOCKED':
        return jittered(this.#options.blockedPollMs, random);
      default:
        return assertNever(after);
    }
  }

  #retryLater(delayMs: number): void {
    this.#cancelRetry();
    this.#retryAt = this.#deps.clock.nowMs() + delayMs;
    this.#cancelRetry = this.#deps.scheduler.after(delayMs, () => this.#dispatch({ kind: 'RETRY_DUE' }));
  }

  /** One link from its opening to its end. Never rejects. */
  async #runLink(link: AbortController): Promise<void> {
    const { source, logger } = this.#deps;
    let connection: SourceConnection;
    try {
      connection = await source.open({ handle: this.#handle, signal: link.signal });
      link.signal.throwIfAborted();
    } catch (error) {
      this.#link = null;
      this.#fail(error, link.signal);
      return;
    }
    this.#reason = null;
    this.#dispatch({ kind: 'OPENED' });
    try {
      await this.#converse(connection, link.signal);
    } catch (error) {
      // A stop while the session was being made ready; anything else is a bug, and the link is opened anew.
      if (!link.signal.aborted) logger.error({ err: error }, 'ingest.session_failed');
    }
    await connection.close();
    const end = await connection.ended;
    this.#link = null;
    if (this.#state.connection !== 'STOPPED') this.#reason = sentenceOf(end, this.#state.connection);
    this.#dispatch({ kind: 'CLOSED', end });
  }

  #fail(error: unknown, signal: AbortSignal): void {
    const failure =
      error instanceof SourceError
        ? error
        : new SourceError(signal.aborted ? 'ABORTED' : 'NETWORK', 'The room could not be joined.');
    if (!signal.aborted) {
      this.#reason = failure.message;
      this.#deps.logger.info({ failure: failure.failure }, 'ingest.attempt_failed');
      this.#deps.room.attemptFailed(failure);
    }
    this.#dispatch({ kind: 'FAILED', failure: failure.failure, retryAfterMs: failure.retryAfterMs });
  }

  /** Reads the connection to its end. */
  async #converse(connection: SourceConnection, signal: AbortSignal): Promise<void> {
    const { room } = this.#deps;
    this.#lastHeardAt = this.#deps.clock.nowMs();
    const watchdog = new SilenceWatchdog(this.#deps, this.#options.silence, {
      onStalled: () => {
        this.#reason = 'Connected, and nothing comes.';
        this.#dispatch({ kind: 'SILENT' });
      },
      onTooLong: () => this.#dispatch({ kind: 'SILENT_TOO_LONG' }),
    });
    try {
      watchdog.hold();
      if (await room.beginSession(connection, signal)) this.#dispatch({ kind: 'GAP_FOUND' });
      watchdog.release();
      for await (const messages of connection.messages) {
        watchdog.fed();
        this.#heard(messages, watchdog.heardAt);
        const busy = room.accept(messages);
        if (busy === null) continue;
        watchdog.hold();
        await raceAbort(busy, signal); // a stop must not wait for the bus
        watchdog.release();
      }
    } finally {
      watchdog.stop();
    }
  }

  #heard(messages: readonly SourceMessage[], atMs: number): void {
    // The repeated batch says nothing about now.
    if (messages.every((message) => message.history)) return;
    this.#lastHeardAt = atMs;
    const { connection, attempt, gapOpen } = this.#state;
    if (connection === 'LIVE' && attempt === 0 && !gapOpen) return;
    this.#reason = null;
    this.#dispatch({ kind: 'FLOWING' });
  }

  #report(): void {
    const { connection, attempt } = this.#state;
    this.#deps.room.report({
      state: connection,
      reason: this.#reason,
      since: this.#since,
      retryAt: this.#retryAt,
      attempt,
    });
  }
}

function sentenceOf(end: ConnectionEnd, state: ConnectionState): string {
  switch (end.kind) {
    case 'STREAM_ENDED':
      return 'The stream ended.';
    case 'STREAM_SUSPENDED':
      return 'TikTok suspended the stream.';
    case 'CLOSED':
      return `TikTok closed the connection (${end.code}).`;
    case 'ABORTED':
      return state === 'RECONNECTING' ? 'Nothing came for too long.' : 'The connection was given up.';
    default:
      return assertNever(end);
  }
}
