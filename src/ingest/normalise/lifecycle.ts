import type { Provider } from '../../events/unified-event.ts';
import type { Clock } from '../../lib/clock.ts';
import type { SessionId, StreamId } from '../../lib/ids.ts';
import type { EventBody } from './body.ts';
import type { Origin } from './draft.ts';
import { textOf } from './reading.ts';

/** An event of ours, ready to be placed. */
export interface LifecycleEvent {
  readonly body: EventBody;
  readonly origin: Origin;
}

/** A code of a lost connection is at most this: WebSocket close codes have 4 digits. */
const CLOSE_CODE_MAX = 4_999;
const CODE_CHARS_MAX = 64;
const REASON_CHARS_MAX = 500;
const STACK_CHARS_MAX = 4_000;

/** Builds the events that no message stands for. Their type names go into the event ids and must not change. */
export class LifecycleFactory {
  readonly #session: { provider: Provider; streamId: StreamId; sessionId: SessionId };
  readonly #clock: Clock;
  readonly #development: boolean;

  constructor(options: {
    readonly provider: Provider;
    readonly streamId: StreamId;
    readonly sessionId: SessionId;
    readonly clock: Clock;
    readonly development: boolean;
  }) {
    this.#session = options;
    this.#clock = options.clock;
    this.#development = options.development;
  }

  connected(): LifecycleEvent {
    const { provider, sessionId } = this.#session;
    return this.#event('TallylightConnected', sessionId, {
      type: 'CONNECTED',
      user: null,
      payload: { provider },
    });
  }

  disconnected(end: {
    readonly code: number;
    readonly reason: string;
    readonly willReconnect: boolean;
  }): LifecycleEvent {
    const code = Number.isInteger(end.code) && end.code >= 0 && end.code <= CLOSE_CODE_MAX ? end.code : 0;
    const payload = { code, reason: textOf(end.reason, REASON_CHARS_MAX), willReconnect: end.willReconnect };
    return this.#event('TallylightDisconnected', this.#session.sessionId, {
      type: 'DISCONNECTED',
      user: null,
      payload,
    });
  }

  streamEnded(reason: 'ENDED' | 'SUSPENDED'): LifecycleEvent {
    const body: EventBody = { type: 'STREAM_END', user: null, payload: { reason } };
    return this.#event('TallylightStreamEnd', this.#session.streamId, body);
  }

  error(failure: { readonly code: string; readonly error: Error }): LifecycleEvent {
    const { code, error } = failure;
    return this.#event('TallylightError', null, {
      type: 'ERROR',
      user: null,
      payload: {
        message: textOf(error.message, REASON_CHARS_MAX),
        code: textOf(code, CODE_CHARS_MAX),
        stack: this.#development ? textOf(error.stack, STACK_CHARS_MAX) : null,
      },
    });
  }

  #event(rawType: string, messageId: string | null, body: EventBody): LifecycleEvent {
    const nowMs = this.#clock.nowMs();
    return { body, origin: { rawType, messageId, timestamp: nowMs, ingestedAt: nowMs, history: false } };
  }
}
