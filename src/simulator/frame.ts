import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type BaseProtoMessage, ProtoMessageFetchResult, WebcastPushFrame } from 'tiktok-live-proto/v3';

/** One message as a frame carries it: its type, its provider id (64 bits as text) and its protobuf bytes. */
export interface FrameMessage {
  readonly rawType: string;
  readonly messageId: string;
  readonly payload: Uint8Array;
  /** Repeated from before the connection. False when left out. */
  readonly history?: boolean;
}

export interface FrameOptions {
  /** Compresses the payload, as TikTok does for larger frames. */
  readonly gzip: boolean;
  /** Asks the client to acknowledge the frame. */
  readonly needAck: boolean;
  /** Names the frame in its acknowledgement: a whole number of 64 bits, as text. */
  readonly logId: string;
  /** Incompressible bytes that the connector skips, to make the frame slow to unpack. */
  readonly paddingBytes?: number;
}

/** What the client must echo to acknowledge a frame. It refuses to acknowledge when this is empty. */
const INTERNAL_EXT = 'fetch_time:0|simulated:1';

/** Where a client says that it has read up to. The connector refuses an empty one. */
const CURSOR = 'simulated';

/** A push frame of these messages: the payload of one WebSocket message, ready for `Room.writeFrame`. */
export function encodeFrame(messages: readonly FrameMessage[], options: FrameOptions): Buffer {
  const result = encodeFetchResult(messages, {
    needAck: options.needAck,
    pushServer: '',
    paddingBytes: options.paddingBytes ?? 0,
  });
  return encodePushFrame('msg', options.gzip ? gzipSync(result, { level: 1 }) : result, options.logId);
}

/** The answer of the sign server: the first batch of messages, and where to open the socket. */
export function encodeFetchResult(
  messages: readonly FrameMessage[],
  options: { readonly needAck: boolean; readonly pushServer: string; readonly paddingBytes?: number },
): Buffer {
  const padding = options.paddingBytes ?? 0;
  const result = ProtoMessageFetchResult.encode({
    ...ProtoMessageFetchResult.decode(new Uint8Array()),
    messages: messages.map(baseMessage),
    cursor: CURSOR,
    internalExt: INTERNAL_EXT,
    needAck: options.needAck,
    pushServer: options.pushServer,
    // Parameters of the route, which only the sign server's answer uses: in a push frame they are dead weight.
    routeParams: padding === 0 ? {} : { padding: randomBytes(padding / 2).toString('hex') },
  }).finish();
  return Buffer.from(result.buffer, result.byteOffset, result.byteLength);
}

/** A push frame with any payload: answers to heartbeats and to entering the room have other types than `msg`. */
export function encodePushFrame(payloadType: string, payload: Buffer, logId: string): Buffer {
  const frame = WebcastPushFrame.encode({
    ...WebcastPushFrame.decode(new Uint8Array()),
    seqId: logId,
    logId,
    payloadEncoding: 'pb',
    payloadType,
    payload,
  }).finish();
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}

function baseMessage(message: FrameMessage): BaseProtoMessage {
  const { payload } = message;
  return {
    method: message.rawType,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    msgId: message.messageId,
    msgType: 0,
    offset: '0',
    isHistory: message.history ?? false,
  };
}
