import { ProtoMessageFetchResult } from 'tiktok-live-proto/v3';
import { hasMoreFieldsThan } from './wire-reader.ts';

/** Fields of a batch, its messages above all: a busy room's has some hundred. Each empty one takes 2 bytes and becomes 200. */
const BATCH_FIELDS_MAX = 20_000;

/** Decodes a batch of messages, the messages themselves still packed. @throws when it is none, or too large to be one */
export function decodeBatch(bytes: Uint8Array): ProtoMessageFetchResult {
  if (hasMoreFieldsThan(bytes, BATCH_FIELDS_MAX)) throw new RangeError('a batch of too many messages');
  return ProtoMessageFetchResult.decode(bytes);
}
