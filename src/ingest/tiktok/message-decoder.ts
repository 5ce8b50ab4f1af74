import * as webcast from 'tiktok-live-proto/v3';
import type { SourceMessage } from '../live-source.ts';

/** Turns one message of a batch into ours; never throws. */
export type MessageDecoder = (
  message: webcast.BaseProtoMessage,
  received: { readonly atMs: number; readonly history: boolean },
) => SourceMessage;

type Decode = (bytes: Uint8Array) => object;

/** An error's text is cut at this many characters: some repeat what they could not read. */
const ERROR_CHARACTERS_MAX = 200;

/**
 * A decoder for every message type of the connector's schema. The table is built once: the schema's module also exports
 * plain values, and a type name that the provider sends must not reach those.
 */
export function createMessageDecoder(): MessageDecoder {
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
    content: contentOf(decoders.get(message.method), message.payload),
  });
}

function contentOf(decode: Decode | undefined, bytes: Uint8Array): SourceMessage['content'] {
  if (decode === undefined) return { kind: 'UNKNOWN', bytes };
  try {
    // Generated decoders build plain objects with the schema's field names.
    return { kind: 'DECODED', data: decode(bytes) as Readonly<Record<string, unknown>> };
  } catch (error) {
    return { kind: 'UNDECODABLE', bytes, error: errorText(error) };
  }
}

/** One line about why bytes did not decode. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, ERROR_CHARACTERS_MAX);
}
