/**
 * Arrays in PostgreSQL's binary form, for statements that carry hundreds of rows in one parameter per column. The text
 * form would escape every element on our side and parse it on the server's; here a value is copied. pg sends a Buffer
 * as a binary parameter, and a cast in the statement (`$1::uuid[]`) tells the server what it is.
 *
 * Layout: number of dimensions, whether there are nulls, element type's OID, length, lower bound (4 bytes each); then
 * each element's length (4 bytes, -1 for null) and bytes.
 */

/** OIDs of the element types (pg_type.dat; they never change). */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  timestamptz: 1184,
  uuid: 2950,
  jsonb: 3802,
} as const;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
/** PostgreSQL counts time from 2000-01-01 UTC. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
const TWO_TO_32 = 2 ** 32;

/** Whole numbers that int8 and JavaScript both hold. */
export function int8Array(values: readonly (number | null)[]): Buffer {
  return fixedArray(OID.int8, 8, values, writeInt8);
}

export function int4Array(values: readonly number[]): Buffer {
  return fixedArray(OID.int4, 4, values, (buffer, value, offset) => buffer.writeInt32BE(value, offset));
}

export function int2Array(values: readonly number[]): Buffer {
  return fixedArray(OID.int2, 2, values, (buffer, value, offset) => buffer.writeInt16BE(value, offset));
}

export function boolArray(values: readonly boolean[]): Buffer {
  return fixedArray(OID.bool, 1, values, (buffer, value, offset) => buffer.writeUInt8(value ? 1 : 0, offset));
}

/** Times in milliseconds since the Unix epoch. */
export function timestamptzArray(values: readonly number[]): Buffer {
  return fixedArray(OID.timestamptz, 8, values, (buffer, value, offset) =>
    writeInt8(buffer, (value - POSTGRES_EPOCH_MS) * 1000, offset),
  );
}

/** UUIDs as 32 hexadecimal digits. */
export function uuidArray(values: readonly (string | null)[]): Buffer {
  return fixedArray(OID.uuid, 16, values, (buffer, value, offset) => buffer.write(value, offset, 16, 'hex'));
}

export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  return variableArray(
    OID.bytea,
    values,
    (value) => value.length,
    (buffer, value, offset) => value.copy(buffer, offset),
  );
}

export function textArray(values: readonly (string | null)[]): Buffer {
  return variableArray(OID.text, values, utf8Length, (buffer, value, offset) =>
    buffer.write(value, offset, 'utf8'),
  );
}

/** JSON texts. */
export function jsonbArray(values: readonly string[]): Buffer {
  return variableArray(
    OID.jsonb,
    values,
    (value) => 1 + utf8Length(value),
    (buffer, value, offset) => {
      buffer[offset] = 1; // version of jsonb's binary form
      buffer.write(value, offset + 1, 'utf8');
    },
  );
}

function fixedArray<T>(
  oid: number,
  bytes: number,
  values: readonly (T | null)[],
  write: (buffer: Buffer, value: T, offset: number) => void,
): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + values.length * (LENGTH_BYTES + bytes));
  let offset = writeHeader(buffer, oid, values.length);
  for (const value of values) {
    if (value === null) {
      offset = buffer.writeInt32BE(-1, offset);
    } else {
      offset = buffer.writeInt32BE(bytes, offset);
      write(buffer, value, offset);
      offset += bytes;
    }
  }
  return buffer.subarray(0, offset);
}

function variableArray<T>(
  oid: number,
  values: readonly (T | null)[],
  lengthOf: (value: T) => number,
  write: (buffer: Buffer, value: T, offset: number) => void,
): Buffer {
  let size = HEADER_BYTES + values.length * LENGTH_BYTES;
  for (const value of values) if (value !== null) size += lengthOf(value);
  const buffer = Buffer.allocUnsafe(size);
  let offset = writeHeader(buffer, oid, values.length);
  for (const value of values) {
    if (value === null) {
      offset = buffer.writeInt32BE(-1, offset);
    } else {
      const length = lengthOf(value);
      offset = buffer.writeInt32BE(length, offset);
      write(buffer, value, offset);
      offset += length;
    }
  }
  return buffer;
}

function writeHeader(buffer: Buffer, oid: number, length: number): number {
  buffer.writeInt32BE(1, 0); // one dimension
  buffer.writeInt32BE(1, 4); // there may be nulls
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16); // counted from 1
  return HEADER_BYTES;
}

/** Two halves: a fifth of the time that a BigInt takes. */
function writeInt8(buffer: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / TWO_TO_32);
  buffer.writeInt32BE(high, offset);
  buffer.writeUInt32BE(value - high * TWO_TO_32, offset + 4);
}

function utf8Length(value: string): number {
  return Buffer.byteLength(value, 'utf8');
}
