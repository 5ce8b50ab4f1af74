import { setImmediate } from 'node:timers/promises';
import { type BaseProtoMessage, ControlAction, type ProtoMessageFetchResult } from 'tiktok-live-proto/v3';
import type { ConnectionEnd, SourceMessage } from '../live-source.ts';
import type { Frame, FrameQueue } from './frame-queue.ts';
import { decodeBatch } from './message-batch.ts';
import { errorText, type MessageDecoder } from './message-decoder.ts';

/**
 * Messages decoded in one go. With what follows, at about 20 µs each, this holds the event loop for some 4 ms, so other
 * rooms of the process and its timers get their turn.
 */
const PORTION_MESSAGES_MAX = 200;
/** …and no further message is decoded in the same go once they come to this many bytes: 200 usual ones have 600 kB. */
const PORTION_BYTES_MAX = 1024 * 1024;

/** What a stream reads from and reports to. */
export interface MessageStreamDeps {
  readonly queue: FrameQueue;
  readonly decode: MessageDecoder;
  /** Answers a frame that asked for it, once it is read. */
  readonly acknowledge: (logId: string, internalExt: string) => void;
  /** The provider said in a message that the stream is over. */
  readonly onStreamEnd: (end: ConnectionEnd) => void;
}

interface Batch {
  readonly messages: readonly BaseProtoMessage[];
  readonly atMs: number;
  readonly history: boolean;
  next: number;
}

/**
 * One connection's messages as a pull: decodes only what is asked for, portion by portion, first the batch delivered at
 * connect, then frame by frame. Never throws: what does not decode is a message of its own.
 */
export class MessageStream {
  readonly #deps: MessageStreamDeps;
  #batch: Batch | null;
  #finished: boolean = false;
  #discarded: boolean = false;

  constructor(
    deps: MessageStreamDeps,
    first: { readonly batch: ProtoMessageFetchResult; readonly atMs: number },
  ) {
    this.#deps = deps;
    this.#batch = { messages: first.batch.messages, atMs: first.atMs, history: true, next: 0 };
  }

  /** The next messages, at least one; null when the connection is over and everything was read. */
  async next(): Promise<readonly SourceMessage[] | null> {
    // Waiting frames are always ready for the one who pulls without pause: sockets and timers must get in between.
    await setImmediate();
    for (;;) {
      if (this.#discarded) return null;
      const portion = this.#takePortion();
      if (portion.length > 0) return portion;
      if (this.#finished && !this.#deps.queue.waiting) return null;
      await this.#deps.queue.changed();
    }
  }

  /** No more frames will come; those waiting are still read. */
  finish(): void {
    this.#finished = true;
    this.#deps.queue.wake();
  }

  /** As `finish`, and nothing more is read. */
  discard(): void {
    this.#discarded = true;
    this.#batch = null;
    this.#deps.queue.close();
  }

  #takePortion(): SourceMessage[] {
    const portion: SourceMessage[] = [];
    let bytes = 0;
    while (portion.length < PORTION_MESSAGES_MAX && bytes < PORTION_BYTES_MAX) {
      const message = this.#batch?.messages[this.#batch.next];
      if (this.#batch !== null && message !== undefined) {
        this.#batch.next += 1;
        bytes += message.payload.length;
        portion.push(this.#read(message, this.#batch));
        continue;
      }
      const frame = this.#deps.queue.takeReady();
      if (frame === null) break;
      this.#open(frame, portion);
    }
    return portion;
  }

  #read(raw: BaseProtoMessage, batch: Batch): SourceMessage {
    const message = this.#deps.decode(raw, batch);
    if (message.rawType === 'WebcastControlMessage' && message.content.kind === 'DECODED') {
      const { action } = message.content.data;
      if (action === ControlAction.CONTROL_ACTION_STREAM_ENDED) {
        this.#deps.onStreamEnd({ kind: 'STREAM_ENDED' });
      } else if (action === ControlAction.CONTROL_ACTION_STREAM_SUSPENDED) {
        this.#deps.onStreamEnd({ kind: 'STREAM_SUSPENDED' });
      }
    }
    return message;
  }

  /** Makes the frame's messages the ones to read, or the frame itself a message when it cannot be read. */
  #open(frame: Frame, portion: SourceMessage[]): void {
    this.#batch = null;
    if (frame.kind === 'BROKEN') {
      portion.push(brokenFrame(frame.bytes, frame.atMs, frame.error));
      return;
    }
    if (frame.payload.length === 0) return;
    try {
      const result = decodeBatch(frame.payload);
      if (result.needAck) this.#deps.acknowledge(frame.logId, result.internalExt);
      this.#batch = { messages: result.messages, atMs: frame.atMs, history: false, next: 0 };
    } catch (error) {
      portion.push(brokenFrame(frame.payload, frame.atMs, error));
    }
  }
}

function brokenFrame(bytes: Uint8Array, atMs: number, error: unknown): SourceMessage {
  return {
    rawType: 'WebcastPushFrame',
    messageId: null,
    receivedAt: atMs,
    history: false,
    content: { kind: 'UNDECODABLE', bytes, error: errorText(error) },
  };
}
