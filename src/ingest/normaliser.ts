import type { StateChanges } from '../bus/port.ts';
import type { EventDraft, EventSource, Provider } from '../events/unified-event.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelId, SessionId, StreamId } from '../lib/ids.ts';
import type { SourceMessage } from './live-source.ts';
import type { RestoredState } from './normaliser-state.ts';

/** What a normaliser works for: one session of one stream. */
export interface NormaliserContext {
  readonly channelId: ChannelId;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly provider: Provider;
  /** A REPLAY changes no producer state: the live session of the same channel owns it. */
  readonly source: EventSource;
  readonly clock: Clock;
  /** A keyed, stable stand-in for a value that names a person. Must not be reversible without the key. */
  readonly pseudonym: (value: string) => string;
  /** What earlier sessions of the stream left. @see restoreState */
  readonly restored: RestoredState;
  /** Adds stacks to ERROR events. */
  readonly development: boolean;
}

/** An event and the producer state that must be written in the same atomic step. */
export interface NormalisedItem {
  readonly draft: EventDraft;
  readonly stateChanges?: StateChanges;
}

/** A message that never became an event: for the dead letters. */
export interface UndecodableMessage {
  readonly rawType: string;
  readonly messageId: string | null;
  readonly bytes: Uint8Array;
  /** One line, without the message's content. */
  readonly error: string;
}

export interface NormalisedBatch {
  readonly items: readonly NormalisedItem[];
  readonly undecodable: readonly UndecodableMessage[];
}

/** Turns provider messages into events. Synchronous; never throws; keeps gift streaks and the like maximum between calls. */
export interface Normaliser {
  /** Events of these messages, in order. A message that says nothing new (a streak's repeat) gives none. */
  accept(messages: readonly SourceMessage[]): NormalisedBatch;
  /** Closes gift streaks idle since 10 s. To be called about once a second. */
  tick(nowMs: number): NormalisedBatch;
  /** Closes all gift streaks: at the end of the stream, at a disconnect and before a clean stop. Idempotent. */
  finish(): NormalisedBatch;
  readonly lifecycle: LifecycleEvents;
}

/** Events of ours, about the connection. To be appended like the others, in their place. */
export interface LifecycleEvents {
  /** Once per session. */
  connected(): NormalisedItem;
  /** Once per session. */
  disconnected(end: {
    readonly code: number;
    readonly reason: string;
    readonly willReconnect: boolean;
  }): NormalisedItem;
  /** Null when the provider's own message has already become the STREAM_END of this session. */
  streamEnded(reason: 'ENDED' | 'SUSPENDED'): NormalisedItem | null;
  /** `code` is a fixed name of ours (`SIGN_SERVER`); the error's message is for the operator. */
  error(failure: { readonly code: string; readonly error: Error }): NormalisedItem;
}
