import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createRandom } from '../lib/random.ts';
import type { FaultControl } from './faults.ts';
import { encodeFrame, type FrameMessage } from './frame.ts';
import { SIMULATED_TITLE_PREFIX } from './marker.ts';
import type { PushSocket } from './push-socket.ts';
import type { ScriptMessage } from './script-message.ts';
import { encodeWebcastMessage, type WebcastFields, type WebcastType } from './webcast-message.ts';

/** How many of the last messages a room keeps for the `history` fault. */
const HISTORY_MESSAGES_MAX = 500;

/** Frames from this size are compressed, in bytes: small ones gain nothing. */
const GZIP_BYTES_MIN = 16_384;

/** A type name that no schema has. */
const UNKNOWN_TYPE = 'WebcastSimulatedNoveltyMessage';

export type RoomState = 'LIVE' | 'ENDED' | 'SUSPENDED';

/** What may be chosen for a message; left out, ids rise by one and the time is now. */
export interface MessageOptions {
  readonly messageId?: string;
  /** Milliseconds since the Unix epoch. */
  readonly createTime?: number;
}

/** What went over the room's sockets so far. */
export interface RoomCounters {
  /** Frames written, counted once per socket. */
  framesWritten: number;
  bytesWritten: number;
  /** Messages made, whether or not somebody was there to read them. */
  messages: number;
  /** Connections that entered the room. */
  entered: number;
  acknowledgements: number;
  heartbeats: number;
}

/** One simulated stream: everybody in it gets the same frames. A stream that comes back after its end is a new room. */
export class Room {
  readonly handle: string;
  readonly roomId: string;
  /** The streamer's user id: made up, the same in all streams of the handle, different from every viewer's. */
  readonly hostId: string;
  readonly title: string;
  readonly startedAt: number;
  readonly counters: RoomCounters = {
    framesWritten: 0,
    bytesWritten: 0,
    messages: 0,
    entered: 0,
    acknowledgements: 0,
    heartbeats: 0,
  };
  readonly #clock: Clock;
  readonly #faults: FaultControl;
  readonly #sockets = new Set<PushSocket>();
  readonly #history: FrameMessage[] = [];
  #state: RoomState = 'LIVE';
  #lastMessageId: bigint;
  #lastLogId = 0n;

  constructor(
    deps: { readonly clock: Clock; readonly faults: FaultControl },
    options: { readonly handle: string; readonly roomId: string },
  ) {
    this.#clock = deps.clock;
    this.#faults = deps.faults;
    this.handle = options.handle;
    this.roomId = options.roomId;
    this.hostId = `${6_500_000_000_000_000_000n + BigInt(createRandom(options.handle).integer(0, 999_999_999))}`;
    this.title = `${SIMULATED_TITLE_PREFIX}@${options.handle} is live`;
    this.startedAt = deps.clock.nowMs();
    // Ids rise over restarts of the simulator too: one that is met again would be taken for a repetition.
    this.#lastMessageId = BigInt(this.startedAt) << 21n;
  }

  get state(): RoomState {
    return this.#state;
  }

  /** How many connections are in the room. */
  get viewers(): number {
    return this.#sockets.size;
  }

  /** A connection enters: frames from now on are its too. */
  enter(socket: PushSocket): void {
    this.#sockets.add(socket);
    this.counters.entered += 1;
  }

  leave(socket: PushSocket): void {
    this.#sockets.delete(socket);
  }

  /** Takes `count` message ids that nobody else will get, and returns the first. */
  takeMessageIds(count: number): bigint {
    const first = this.#lastMessageId + 1n;
    this.#lastMessageId += BigInt(count);
    return first;
  }

  /** A message of this room: `fields` with the common part filled in. */
  message<T extends WebcastType>(
    type: T,
    fields: WebcastFields<T>,
    options: MessageOptions = {},
  ): FrameMessage {
    const messageId = options.messageId ?? this.takeMessageIds(1).toString();
    // Every Webcast type has `common`, see WebcastType; TypeScript cannot follow that through the mapped type.
    const given = (fields as { readonly common?: object }).common;
    const common = {
      method: type,
      msgId: messageId,
      roomId: this.roomId,
      createTime: `${options.createTime ?? this.#clock.nowMs()}`,
      isShowMsg: true,
      ...given,
    };
    const payload = encodeWebcastMessage(type, { ...fields, common } as WebcastFields<T>);
    return { rawType: type, messageId, payload };
  }

  /** A message that a scenario wrote, with its id and time. */
  scripted(message: ScriptMessage, options: MessageOptions = {}): FrameMessage {
    if (message.kind === 'UNKNOWN') {
      return { ...this.message('WebcastRoomMessage', {}, options), rawType: message.rawType };
    }
    // The union holds the pairs of type and fields that `message` takes; TypeScript looks at them one by one.
    return this.message(message.type, message.fields as WebcastFields<WebcastType>, options);
  }

  /** Sends one message in a frame of its own. Resolves with its id when every socket takes more. */
  async send<T extends WebcastType>(
    type: T,
    fields: WebcastFields<T>,
    options: MessageOptions = {},
  ): Promise<string> {
    const message = this.message(type, fields, options);
    await this.sendFrame([message]);
    return message.messageId;
  }

  /** Sends bytes as a message of any type, in a frame of its own. */
  async sendBytes(rawType: string, payload: Uint8Array, options: MessageOptions = {}): Promise<string> {
    const messageId = options.messageId ?? this.takeMessageIds(1).toString();
    await this.sendFrame([{ rawType, messageId, payload }]);
    return messageId;
  }

  /** Sends messages in one frame, subject to the faults of frames. */
  async sendFrame(
    messages: readonly FrameMessage[],
    options: { readonly gzip?: boolean } = {},
  ): Promise<void> {
    this.counters.messages += messages.length;
    this.#history.push(...messages);
    this.#history.splice(0, this.#history.length - HISTORY_MESSAGES_MAX);
    const all = [...messages, ...this.#addedByFaults(messages)];
    const padding = all.length > 1 ? this.#faults.strike('out-of-order') : undefined;
    if (padding === undefined) {
      await this.writeFrame(this.encodeFrame(all, options));
      return;
    }
    const large = this.#encode(all.slice(0, -1), { gzip: true, paddingBytes: padding.value * 1024 });
    const small = this.#encode(all.slice(-1), { gzip: true, paddingBytes: 0 });
    await Promise.all([this.writeFrame(large), this.writeFrame(small)]);
  }

  /** The frame of these messages, for `writeFrame`. */
  encodeFrame(messages: readonly FrameMessage[], options: { readonly gzip?: boolean } = {}): Buffer {
    const bytes = messages.reduce((sum, message) => sum + message.payload.length, 0);
    return this.#encode(messages, { gzip: options.gzip ?? bytes >= GZIP_BYTES_MIN, paddingBytes: 0 });
  }

  /** Writes a finished frame to everybody in the room; resolves when every socket takes more. */
  async writeFrame(frame: Buffer): Promise<void> {
    if (this.#sockets.size === 0) return;
    if (this.#faults.strike('silence') !== undefined) return;
    if (this.#faults.strike('cut') !== undefined) {
      for (const socket of this.#sockets) socket.cut(frame);
      return;
    }
    this.counters.framesWritten += this.#sockets.size;
    this.counters.bytesWritten += this.#sockets.size * frame.length;
    await Promise.all([...this.#sockets].map((socket) => socket.write(frame)));
  }

  /** The last messages, oldest first, marked as repeated. At most 500. */
  lastMessages(count: number): readonly FrameMessage[] {
    return this.#history.slice(-count).map((message) => ({ ...message, history: true }));
  }

  /** Sends a control message: 1 paused, 2 goes on, 3 ended, 4 suspended. The last two end the room. */
  async control(action: 1 | 2 | 3 | 4): Promise<void> {
    if (action === 3) this.#state = 'ENDED';
    if (action === 4) this.#state = 'SUSPENDED';
    await this.send('WebcastControlMessage', { action });
  }

  /** Drops every connection without a goodbye. */
  terminate(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  #encode(
    messages: readonly FrameMessage[],
    options: { readonly gzip: boolean; readonly paddingBytes: number },
  ): Buffer {
    this.#lastLogId += 1n;
    return encodeFrame(messages, { ...options, needAck: true, logId: this.#lastLogId.toString() });
  }

  #addedByFaults(messages: readonly FrameMessage[]): readonly FrameMessage[] {
    const added: FrameMessage[] = [];
    if (this.#faults.strike('poison') !== undefined) {
      // Field 1, a nested message said to be 127 bytes long: the bytes end before that.
      const payload = Buffer.concat([Buffer.from([0x0a, 0x7f]), randomBytes(8)]);
      added.push({ rawType: 'WebcastChatMessage', messageId: this.takeMessageIds(1).toString(), payload });
    }
    if (this.#faults.strike('unknown-type') !== undefined) {
      added.push(this.scripted({ kind: 'UNKNOWN', rawType: UNKNOWN_TYPE }));
    }
    const last = messages.at(-1);
    if (last !== undefined && this.#faults.strike('duplicate') !== undefined) added.push(last);
    return added;
  }
}
