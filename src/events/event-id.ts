import { hash } from 'node:crypto';
import type { SessionId, StreamId } from '../lib/ids.ts';
import type { EventSource, Provider } from './unified-event.ts';

/** What an event id is made of. */
export interface EventIdParts {
  readonly provider: Provider;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** The provider's own id of the message; null when it has none. */
  readonly messageId: string | null;
  /** Place within the session, used only when `messageId` is null. */
  readonly localSequence: number;
  /** The provider's type name, or ours for events that we make. */
  readonly rawType: string;
  readonly source: EventSource;
}

/**
 * The event's id: sha256 as 64 hexadecimal digits. The same provider message is the same event across reconnects;
 * a replay, which adds its session to the hash, is new events.
 */
export function eventId(parts: EventIdParts): string {
  const origin = parts.messageId === null ? `${parts.sessionId}#${parts.localSequence}` : parts.messageId;
  const replay = parts.source === 'REPLAY' ? `\n${parts.sessionId}` : '';
  return hash('sha256', `${parts.provider}\n${parts.streamId}\n${origin}\n${parts.rawType}${replay}`);
}
