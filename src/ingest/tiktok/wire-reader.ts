/** The bytes are not a protobuf message, or not one of the kind that is made today (with groups). */
export class WireError extends Error {
  override readonly name = 'WireError';
}

export const WIRE_VARINT = 0;
const WIRE_64_BIT = 1;
export const WIRE_LENGTH = 2;
const WIRE_GROUP_START = 3;
const WIRE_GROUP_END = 4;
const WIRE_32_BIT = 5;
const VARINT_BYTES_MAX = 10;
const TWO_TO_32 = 2 ** 32;
/** Above it a number has no exact place in a double. */
const HIGH_WORD_EXACT_MAX = 2 ** 21;

/**
 * Reads protobuf's wire format from a position that only moves forward. Every method throws WireError at the end of the
 * bytes, never reads behind it.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class WireReader {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The low 32 bits of a varint, unsigned. */
  varint(): number {
    let value = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = this.#bytes[this.position++];
      if (byte === undefined) throw new WireError('ends within a number');
      if (index < 5) value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return value >>> 0;
    }
    throw new WireError('a number of more than 10 bytes');
  }

  /** A varint of 64 bits as decimal text, as two's complement when `signed`. */
  varint64(signed: boolean): string {
    let low = 0;
    let high = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = this.#bytes[this.position++];
      if (byte === undefined) throw new WireError('ends within a number');
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * index - 32);
      if (byte < 0x80) return decimal(low >>> 0, high >>> 0, signed);
    }
    throw new WireError('a number of more than 10 bytes');
  }

  /** The text of a length-delimited field. Bytes that are no UTF-8 become U+FFFD. */
  text(): string {
    const end = this.lengthEnd();
    const text = this.#bytes.toString('utf8', this.position, end);
    this.position = end;
    return text;
  }

  /** Where the length-delimited field that begins here ends; moves behind its length. */
  lengthEnd(): number {
    const end = this.varint() + this.position;
    if (end > this.#bytes.length) throw new WireError('a field ends behind its message');
    return end;
  }

  skip(wireType: number): void {
    switch (wireType) {
      case WIRE_VARINT:
        this.varint();
        return;
      case WIRE_64_BIT:
        this.position += 8;
        break;
      case WIRE_LENGTH:
        this.position = this.lengthEnd();
        return;
      case WIRE_32_BIT:
        this.position += 4;
        break;
      default:
        throw new WireError(`wire type ${wireType}`);
    }
    if (this.position > this.#bytes.length) throw new WireError('a field ends behind its message');
  }
}

function decimal(low: number, high: number, signed: boolean): string {
  if (high < HIGH_WORD_EXACT_MAX) return String(high * TWO_TO_32 + low);
  const value = (BigInt(high) << 32n) | BigInt(low);
  return (signed ? BigInt.asIntN(64, value) : value).toString();
}

/** Nesting beyond this is nobody's message: protobuf's own libraries refuse it too. */
const DEPTH_MAX = 100;

/**
 * Whether a message has more than `fieldsMax` fields of variable length, nested ones included. Decoding makes an object of
 * each, with every field of its schema: two bytes become kilobytes, so this is asked of the bytes, before. Without a
 * schema a text that happens to look like a message counts as one, which makes it a little heavier and nothing else.
 */
export function isHeavierThan(bytes: Uint8Array, fieldsMax: number): boolean {
  const reader = new WireReader(bytes);
  return weigh(reader, reader.length, { left: fieldsMax }, DEPTH_MAX) === 'TOO_HEAVY';
}

/** Whether a message has more than `fieldsMax` fields at its top level. */
export function hasMoreFieldsThan(bytes: Uint8Array, fieldsMax: number): boolean {
  const reader = new WireReader(bytes);
  return weigh(reader, reader.length, { left: fieldsMax }, 0) === 'TOO_HEAVY';
}

function weigh(
  reader: WireReader,
  end: number,
  budget: { left: number },
  depth: number,
): 'MESSAGE' | 'NO_MESSAGE' | 'TOO_HEAVY' {
  try {
    while (reader.position < end) {
      const wireType = reader.varint() & 7;
      // What stands in a group is decoded like what stands beside it.
      if (wireType === WIRE_GROUP_START || wireType === WIRE_GROUP_END) continue;
      if (wireType !== WIRE_LENGTH) {
        reader.skip(wireType);
        continue;
      }
      budget.left -= 1;
      if (budget.left < 0) return 'TOO_HEAVY';
      const fieldEnd = reader.lengthEnd();
      const weight = depth === 0 ? 'MESSAGE' : weigh(reader, fieldEnd, budget, depth - 1);
      if (weight === 'TOO_HEAVY') return weight;
      reader.position = fieldEnd;
    }
    return 'MESSAGE';
  } catch (error) {
    if (error instanceof WireError) return 'NO_MESSAGE';
    throw error;
  }
}
