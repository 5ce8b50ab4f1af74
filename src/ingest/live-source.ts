import type { Provider } from '../events/unified-event.ts';

/**
 * A provider's room as ingest sees it: its decoded messages in order, and how the connection ends. Nothing outside the
 * source's own folder knows which library is behind it.
 */
export interface LiveSource {
  readonly provider: Provider;
  /**
   * Opens one connection to the room that `handle` is live in. Aborting `signal` ends it at any point, also while connecting.
   * @throws SourceError saying which of the known ways it failed.
   */
  open(request: OpenRequest): Promise<SourceConnection>;
}

export interface OpenRequest {
  /** Without `@`. */
  readonly handle: string;
  readonly signal: AbortSignal;
}

export interface SourceConnection {
  /** The provider's id of the room (TikTok: numeric, as text). */
  readonly roomId: string;
  readonly title: string | null;
  /** True when the host behind it is our simulator: shown wherever the stream is shown. */
  readonly simulated: boolean;
  /**
   * Messages in the provider's order, in the portions they came in. Pulling slowly pushes back on the socket.
   * Ends when the connection does; `ended` then says why.
   */
  readonly messages: AsyncIterable<readonly SourceMessage[]>;
  readonly ended: Promise<ConnectionEnd>;
  /** Idempotent; resolves when the socket is gone, at the latest after 2 s. */
  close(): Promise<void>;
}

/** One message of the provider. Also a line of a fixture file. */
export interface SourceMessage {
  /** The provider's type name, e.g. `WebcastChatMessage`. */
  readonly rawType: string;
  /** The provider's id of the message, null when it has none. */
  readonly messageId: string | null;
  readonly receivedAt: number;
  /** Came in the batch that the provider repeats at a (re)connect. */
  readonly history: boolean;
  readonly content:
    | {
        readonly kind: 'DECODED';
        readonly data: Readonly<Record<string, unknown>>;
        /** Where `data` holds only the fields that have a meaning: all of them. Throws when those left out do not decode. */
        readonly whole?: () => Readonly<Record<string, unknown>>;
      }
    /** A type the decoder does not know. */
    | { readonly kind: 'UNKNOWN'; readonly bytes: Uint8Array }
    /** A known type whose bytes did not decode. */
    | { readonly kind: 'UNDECODABLE'; readonly bytes: Uint8Array; readonly error: string };
}

export type ConnectionEnd =
  | { readonly kind: 'CLOSED'; readonly code: number; readonly reason: string }
  | { readonly kind: 'STREAM_ENDED' }
  | { readonly kind: 'STREAM_SUSPENDED' }
  | { readonly kind: 'ABORTED' };

/** The known ways in which opening fails; the supervisor chooses the next state by them. */
export const SOURCE_FAILURES = [
  'OFFLINE', // the handle exists and is not live
  'UNKNOWN_HANDLE',
  'RATE_LIMITED', // 429; retryAfterMs when told
  'BLOCKED', // the provider refuses this address or client
  'AGE_RESTRICTED',
  'SUSPENDED',
  'SIGN_SERVER', // the sign server failed
  'NETWORK',
  'ABORTED',
] as const;
export type SourceFailure = (typeof SOURCE_FAILURES)[number];

export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly failure: SourceFailure;
  readonly retryAfterMs: number | null;

  constructor(
    failure: SourceFailure,
    message: string,
    options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.failure = failure;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
