import { promisify } from 'node:util';
import { unzip, unzipSync } from 'node:zlib';
import { WebcastPushFrame } from 'tiktok-live-proto/v3';

/** Above this many frames, or this many of their bytes, waiting to be read, the socket is paused. */
const FRAMES_MAX = 64;
const FRAME_BYTES_MAX = 1024 * 1024;
/** Reading goes on when both are below this share of the limit, so that the socket is not switched at every frame. */
const RESUME_SHARE = 0.5;
/** Frames at the head of the queue that are unpacked ahead of their reading. */
const UNPACK_AHEAD = 8;
/** A frame that unpacks to more is not unpacked: a busy room's frames are below 1 MB. */
const UNPACKED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Frames that unpack to no more than this are unpacked on the spot: it takes some 50 µs for 30 kB, where the way to the
 * thread pool and back alone costs more than twice that.
 */
const UNPACKED_AT_ONCE_BYTES_MAX = 256 * 1024;
/** Output is made in pieces of this size: one for most frames. */
const CHUNK_BYTES = 64 * 1024;
/** Nothing packs JSON or protobuf better than this by far: a packed frame above it is not tried on the spot. */
const PACKED_AT_ONCE_BYTES_MAX = 64 * 1024;

const unzipAsync = promisify(unzip);

/** A frame whose turn has come. */
export type Frame =
  | { readonly kind: 'PAYLOAD'; readonly atMs: number; readonly logId: string; readonly payload: Uint8Array }
  | { readonly kind: 'BROKEN'; readonly atMs: number; readonly bytes: Uint8Array; readonly error: unknown };

interface Slot {
  readonly atMs: number;
  readonly bytes: Uint8Array;
  /** Null until unpacking has begun. */
  unpacking: Promise<void> | null;
  frame: Frame | null;
}

/**
 * The socket's frames between arrival and reading, in order of arrival. Unpacking runs ahead, a few frames at a time, of
 * large ones on the thread pool; what comes out keeps its place. Full: asks for a pause, so that TCP pushes back on the provider.
 */
export class FrameQueue {
  readonly #slots: Slot[] = [];
  readonly #flow: { pause(): void; resume(): void };
  #bytes = 0;
  #paused: boolean = false;
  #closed: boolean = false;
  #wake: (() => void) | null = null;

  constructor(flow: { pause(): void; resume(): void }) {
    this.#flow = flow;
  }

  /** Takes in one frame as it came from the socket. */
  push(bytes: Uint8Array, atMs: number): void {
    if (this.#closed) return;
    this.#slots.push({ atMs, bytes, unpacking: null, frame: null });
    this.#bytes += bytes.length;
    this.#unpackAhead();
    if (!this.#paused && (this.#slots.length >= FRAMES_MAX || this.#bytes >= FRAME_BYTES_MAX)) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.wake();
  }

  /** True while the queue asks for no more frames. */
  get paused(): boolean {
    return this.#paused;
  }

  /** True while frames wait. */
  get waiting(): boolean {
    return this.#slots.length > 0;
  }

  /** The next frame if it is unpacked already, null otherwise. */
  takeReady(): Frame | null {
    const head = this.#slots[0];
    if (head === undefined || head.frame === null) return null;
    this.#slots.shift();
    this.#bytes -= head.bytes.length;
    this.#unpackAhead();
    const calm =
      this.#slots.length <= FRAMES_MAX * RESUME_SHARE && this.#bytes <= FRAME_BYTES_MAX * RESUME_SHARE;
    if (this.#paused && calm) {
      this.#paused = false;
      this.#flow.resume();
    }
    return head.frame;
  }

  /** Resolves when the head is unpacked, when a first frame arrives, or at `wake`. */
  async changed(): Promise<void> {
    const unpacking = this.#slots[0]?.unpacking ?? null;
    if (unpacking !== null) return unpacking;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Ends a wait in `changed`. */
  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Forgets what waits, and what still comes. */
  close(): void {
    this.#closed = true;
    this.#slots.length = 0;
    this.#bytes = 0;
    this.wake();
  }

  #unpackAhead(): void {
    const end = Math.min(UNPACK_AHEAD, this.#slots.length);
    for (let index = 0; index < end; index += 1) {
      const slot = this.#slots[index];
      if (slot !== undefined && slot.unpacking === null) slot.unpacking = unpack(slot);
    }
  }
}

/** Fills the slot's frame; never rejects. Frames that need no unpacking are filled before this returns. */
async function unpack(slot: Slot): Promise<void> {
  const { atMs, bytes } = slot;
  try {
    const envelope = WebcastPushFrame.decode(bytes);
    const payload = carriesMessages(envelope) ? envelope.payload : new Uint8Array();
    slot.frame = {
      kind: 'PAYLOAD',
      atMs,
      logId: envelope.logId,
      payload: isGzip(payload) ? (unpackAtOnce(payload) ?? (await unpackAside(payload))) : payload,
    };
  } catch (error) {
    slot.frame = { kind: 'BROKEN', atMs, bytes, error };
  }
}

/** Null for a frame that is too large for the event loop. */
function unpackAtOnce(payload: Uint8Array): Uint8Array | null {
  if (payload.length > PACKED_AT_ONCE_BYTES_MAX) return null;
  try {
    return unzipSync(payload, { maxOutputLength: UNPACKED_AT_ONCE_BYTES_MAX, chunkSize: CHUNK_BYTES });
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw error;
  }
}

function unpackAside(payload: Uint8Array): Promise<Uint8Array> {
  return unzipAsync(payload, { maxOutputLength: UNPACKED_BYTES_MAX, chunkSize: CHUNK_BYTES });
}

/** Answers to our heartbeat, acknowledgements and entry carry other payloads than messages. */
function carriesMessages(envelope: WebcastPushFrame): boolean {
  switch (envelope.payloadType) {
    case 'hb':
    case 'ack':
    case 'im_enter_room_resp':
      return false;
    default:
      return envelope.payloadEncoding === 'pb';
  }
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}
