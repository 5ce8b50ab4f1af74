import * as webcast from 'tiktok-live-proto/v3';
import type { SourceMessage } from '../live-source.ts';
import { type FieldPicker, pickFields } from './field-picker.ts';
import { createFieldPickers } from './read-fields.ts';
import { isHeavierThan, WireError } from './wire-reader.ts';

/** Turns one message of a batch into ours; never throws. */
export type MessageDecoder = (
  message: webcast.BaseProtoMessage,
  received: { readonly atMs: number; readonly history: boolean },
) => SourceMessage;

type Decode = (bytes: Uint8Array) => object;

/**
 * A message of which all is decoded may be this large, in bytes, and have this many fields of variable length. A list of
 * a hundred people has 20,000; 16 MB of empty list items would take gigabytes.
 */
const WHOLE_BYTES_MAX = 256 * 1024;
const WHOLE_FIELDS_MAX = 50_000;

/** An error's text is cut at this many characters: some repeat what they could not read. */
const ERROR_CHARACTERS_MAX = 200;

/**
 * A decoder for every message type of the connector's schema. The table is built once: the schema's module also exports
 * plain values, and a type name that the provider sends must not reach those. Of the common types only the fields that
 * have a meaning for us are decoded; `whole` decodes the rest when it is wanted after all.
 */
export function createMessageDecoder(): MessageDecoder {
  const pickers = createFieldPickers();
  const decoders = new Map<string, Decode>();
  for (const [name, codec] of Object.entries(webcast)) {
    if (typeof codec === 'object' && 'decode' in codec) decoders.set(name, (bytes) => codec.decode(bytes));
  }
  return (message, received) => ({
    rawType: message.method,
    // Protobuf leaves an absent number out, which decodes as 0: no id.
    messageId: message.msgId === '0' || message.msgId === '' ? null : message.msgId,
    receivedAt: received.atMs,
    history: received.history || message.isHistory,
    content: contentOf(message.payload, decoders.get(message.method), pickers.get(message.method)),
  });
}

function contentOf(
  bytes: Uint8Array,
  decode: Decode | undefined,
  picker: FieldPicker | undefined,
): SourceMessage['content'] {
  if (decode === undefined) return { kind: 'UNKNOWN', bytes };
  // Generated decoders build plain objects with the schema's field names.
  const whole = () => {
    if (bytes.length > WHOLE_BYTES_MAX || isHeavierThan(bytes, WHOLE_FIELDS_MAX))
      throw new RangeError('too large');
    return decode(bytes) as Readonly<Record<string, unknown>>;
  };
  try {
    if (picker === undefined) return { kind: 'DECODED', data: whole() };
    return { kind: 'DECODED', data: pickFields(bytes, picker), whole };
  } catch (error) {
    // Groups, which nobody makes any more, or broken: the schema's decoder knows.
    if (error instanceof WireError) return contentOf(bytes, decode, undefined);
    return { kind: 'UNDECODABLE', bytes, error: errorText(error) };
  }
}

/** One line about why bytes did not decode. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, ERROR_CHARACTERS_MAX);
}
