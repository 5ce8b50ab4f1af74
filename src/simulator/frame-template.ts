import { assert } from '../lib/assert.ts';

/**
 * A frame encoded once and sent many times, each time with ids and times of its own. Protobuf writes a number of 64 bits
 * in 7-bit groups, so a number of the same length can be put in another's place without encoding anything again.
 */
export class FrameTemplate {
  readonly messages: number;
  readonly #frame: Buffer;
  /** Where each message's id stands: in its envelope, in its common part, and wherever else it was used. */
  readonly #idOffsets: readonly (readonly number[])[];
  readonly #timeOffsets: readonly number[];

  /** `frame` must have been encoded, uncompressed, with `placeholderId(n)` for the n-th message and `PLACEHOLDER_TIME`. */
  constructor(frame: Buffer, messages: number) {
    this.messages = messages;
    this.#frame = frame;
    this.#idOffsets = Array.from({ length: messages }, (_, index) => {
      const offsets = offsetsOf(frame, varint(BigInt(placeholderId(index)), ID_BYTES));
      assert(offsets.length >= 2, 'the placeholder stands in the envelope and in the common part');
      return offsets;
    });
    this.#timeOffsets = offsetsOf(frame, varint(BigInt(PLACEHOLDER_TIME), TIME_BYTES));
  }

  /** A copy whose messages have the ids from `firstId` on and were made at `createTime`. */
  stamp(firstId: bigint, createTime: number): Buffer {
    const frame = Buffer.from(this.#frame);
    for (const [index, offsets] of this.#idOffsets.entries()) {
      const id = varint(firstId + BigInt(index), ID_BYTES);
      for (const offset of offsets) id.copy(frame, offset);
    }
    const time = varint(BigInt(createTime), TIME_BYTES);
    for (const offset of this.#timeOffsets) time.copy(frame, offset);
    return frame;
  }
}

/** Encoded lengths: ids of rooms are between 2^56 and 2^63, times in milliseconds between 2^35 and 2^42 (until 2109). */
const ID_BYTES = 9;
const TIME_BYTES = 6;

/** The time to encode a template with. No other number of a message looks like it. */
export const PLACEHOLDER_TIME = 0x155_5555_5555;

/** The id to encode the n-th message of a template with. */
export function placeholderId(index: number): string {
  return `${0x6aaa_aaaa_0000_0000n + BigInt(index)}`;
}

function varint(value: bigint, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  // 28 bits at a time: four bytes with plain numbers for each step with a big one.
  let rest = value;
  let low = 0;
  for (let index = 0; index < bytes; index += 1) {
    if (index % 4 === 0) {
      low = Number(rest & 0xfff_ffffn);
      rest >>= 28n;
    }
    buffer[index] = (low & 0x7f) | (index < bytes - 1 ? 0x80 : 0);
    low >>>= 7;
  }
  assert(rest === 0n && low === 0 && buffer[bytes - 1] !== 0, 'the number has the length of its placeholder');
  return buffer;
}

function offsetsOf(frame: Buffer, bytes: Buffer): readonly number[] {
  const offsets: number[] = [];
  for (let at = frame.indexOf(bytes); at >= 0; at = frame.indexOf(bytes, at + bytes.length)) offsets.push(at);
  return offsets;
}
