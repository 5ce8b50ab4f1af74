import { UserError } from '../errors/errors.ts';
import type { SourceMessage } from './live-source.ts';
import { type JsonRecord, providerTimeOf, recordOf } from './normalise/reading.ts';

/**
 * Fixture files: provider messages as lines of JSON (`.ndjson`), to be ingested like a live room. A line is
 *
 * `{"rawType": "WebcastChatMessage", "messageId": "7…", "receivedAt": 1696447178225, "history": false, "data": {…}}`
 *
 * with `bytesBase64` in place of `data` for a message that was not decoded, and `error` beside it when it could not be.
 * Only the type and the content are needed: `type` may stand for `rawType`, and what else is missing is taken from
 * `data.common`.
 */

/** Longest line taken, in UTF-16 units. The longest real message seen as JSON has 60 thousand. */
export const FIXTURE_LINE_CHARS_MAX = 1_048_576;
const RAW_TYPE_PATTERN = /^[A-Za-z0-9_.]{1,100}$/u;
const BASE64_PATTERN = /^[A-Za-z0-9+/]*={0,2}$/u;
const MESSAGE_ID_CHARS_MAX = 64;
/** The year 10000: a larger time is no time. */
const TIME_MAX = 253_402_300_800_000;

/** A line that is no message. `lineNumber` counts from 1. */
export class FixtureLineError extends UserError {
  override readonly name = 'FixtureLineError';
  readonly code = 'FIXTURE_LINE_INVALID';
  readonly lineNumber: number;
  readonly reason: string;

  constructor(lineNumber: number, reason: string) {
    super(`Line ${lineNumber} of the fixture is no message: ${reason}.`);
    this.lineNumber = lineNumber;
    this.reason = reason;
  }
}

/**
 * The message of one line.
 * `defaultReceivedAt` is when a message without a time of its own is taken to have arrived.
 * @throws FixtureLineError saying what is wrong, without quoting the line.
 */
export function parseFixtureLine(
  line: string,
  context: { readonly lineNumber: number; readonly defaultReceivedAt: number },
): SourceMessage {
  const refuse = (reason: string) => new FixtureLineError(context.lineNumber, reason);
  if (line.length > FIXTURE_LINE_CHARS_MAX)
    throw refuse(`it has more than ${FIXTURE_LINE_CHARS_MAX} characters`);
  const value = parsed(line);
  if (value === null) throw refuse('it is not a JSON object');
  const rawType = value.rawType ?? value.type;
  if (typeof rawType !== 'string' || !RAW_TYPE_PATTERN.test(rawType)) {
    throw refuse('"rawType" must be the name of a message type');
  }
  const content = contentOf(value);
  if (typeof content === 'string') throw refuse(content);
  const data = content.kind === 'DECODED' ? content.data : {};
  const messageId = messageIdOf(value.messageId ?? recordOf(data.common).msgId);
  if (messageId === undefined) throw refuse('"messageId" must be text of at most 64 characters, or null');
  if (value.receivedAt !== undefined && !isTime(value.receivedAt)) {
    throw refuse('"receivedAt" must be milliseconds since 1970');
  }
  const receivedAt = isTime(value.receivedAt) ? value.receivedAt : sentAt(data, context.defaultReceivedAt);
  return { rawType, messageId, receivedAt, history: value.history === true, content };
}

function parsed(line: string): JsonRecord | null {
  try {
    const value: unknown = JSON.parse(line);
    // An object that is no list: reading any key of it gives something unknown.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonRecord)
      : null;
  } catch {
    return null; // the caller says which line, the parser would quote it
  }
}

/** The content, or what is wrong with it. */
function contentOf(value: JsonRecord): SourceMessage['content'] | string {
  const { data, bytesBase64, error } = value;
  if (data !== undefined && bytesBase64 !== undefined) return 'it has both "data" and "bytesBase64"';
  if (bytesBase64 === undefined) {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) return '"data" must be an object';
    return { kind: 'DECODED', data: data as JsonRecord }; // as just checked
  }
  if (typeof bytesBase64 !== 'string' || bytesBase64.length % 4 !== 0 || !BASE64_PATTERN.test(bytesBase64)) {
    return '"bytesBase64" must be base64';
  }
  const bytes = new Uint8Array(Buffer.from(bytesBase64, 'base64'));
  if (error === undefined) return { kind: 'UNKNOWN', bytes };
  return typeof error === 'string' ? { kind: 'UNDECODABLE', bytes, error } : '"error" must be text';
}

/** Undefined for what is no id. */
function messageIdOf(value: unknown): string | null | undefined {
  if (value === undefined || value === null || value === '' || value === '0') return null;
  return typeof value === 'string' && value.length <= MESSAGE_ID_CHARS_MAX ? value : undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < TIME_MAX;
}

/** The provider's own time is the best guess at when a message arrived. */
function sentAt(data: JsonRecord, otherwise: number): number {
  const time = providerTimeOf(data);
  return isTime(time) ? time : otherwise;
}
