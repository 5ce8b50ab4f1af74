/**
 * Reads fields of provider messages. Nothing about them is trusted: each function takes anything and gives a value
 * within its limits. None throws on values made by a decoder or by `JSON.parse`.
 */

export type JsonRecord = Readonly<Record<string, unknown>>;

/** Lengths are UTF-16 units. TikTok's own limits are lower: 150 for a chat, 30 for a name, 24 for a handle. */
export const CHAT_CHARS_MAX = 1_000;
export const NAME_CHARS_MAX = 100;
export const HANDLE_CHARS_MAX = 64;
const ID_CHARS_MAX = 64;
const URL_CHARS_MAX = 2_048;
/** 2^64 has 20 digits. */
const USER_ID_DIGITS_MAX = 20;
const IMAGE_URLS_TRIED_MAX = 4;

/** How far from its arrival a provider's time may be, before we take it for nonsense: a day back (repeated history)… */
const TIMESTAMP_BEHIND_MAX_MS = 24 * 60 * 60 * 1_000;
/** …and two minutes ahead (our clock may lag). */
const TIMESTAMP_AHEAD_MAX_MS = 2 * 60 * 1_000;
/** Below this a time is in seconds: as milliseconds it would be March 1973. */
const SECONDS_BELOW = 100_000_000_000;

const EMPTY_RECORD: JsonRecord = {};
const EMPTY_LIST: readonly unknown[] = [];

/** `value` as an object, an empty one when it is anything else. */
export function recordOf(value: unknown): JsonRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return EMPTY_RECORD;
  return value as JsonRecord; // an object that is no list: reading any key of it gives something unknown
}

/** `value` as a list, an empty one when it is anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : EMPTY_LIST;
}

/** A whole number from 0 to `max` out of a number or decimal text; 0 when it is neither. */
export function countOf(value: unknown, max: number): number {
  const number = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : 0;
  if (!(number > 0)) return 0; // also NaN
  return number >= max ? max : Math.trunc(number);
}

/** A small code (an action, a status), whether it came as a number or as text; -1 when it is none. */
export function codeOf(value: unknown): number {
  const code = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof code === 'number' && Number.isInteger(code) ? code : -1;
}

/** A numeric user id of 1 to 20 digits as text; null for none (`"0"`), for leading zeros and for anything else. */
export function userIdOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? String(value) : null;
  if (typeof value !== 'string' || value.length > USER_ID_DIGITS_MAX) return null;
  return isDigits(value) && value.charCodeAt(0) !== 0x30 ? value : null;
}

/** True for one or more ASCII digits and nothing else. */
export function isDigits(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text !== '';
}

/** An identifier of the provider's that is about a thing (a gift, a battle); empty when there is none. */
export function idOf(value: unknown): string {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? String(value) : '';
  const id = textOf(value, ID_CHARS_MAX);
  return id === '0' ? '' : id;
}

/**
 * Text fit to store and show: at most `charsMax` long, well-formed Unicode, without control characters and without the
 * invisible ones that turn the direction of what follows. Line breaks and tabs become spaces. Empty for anything but text.
 */
export function textOf(value: unknown, charsMax: number): string {
  if (typeof value !== 'string') return '';
  const text = value.length > charsMax ? copied(value.slice(0, charsMax)) : value;
  for (let index = 0; index < text.length; index++) {
    if (needsCleaning(text.charCodeAt(index))) return cleaned(text);
  }
  return text;
}

/** A text of its own. V8's slice is a view: kept for long, a short name would keep a message of megabytes in memory. */
function copied(slice: string): string {
  return Buffer.from(slice, 'utf16le').toString('utf16le');
}

/** Control characters, direction controls, line and paragraph separators, and surrogates (which may stand alone). */
function needsCleaning(code: number): boolean {
  if (code < 0x7f) return code < 0x20;
  if (code <= 0x9f) return true;
  if (code < 0x2028) return false;
  return code <= 0x202e || (code >= 0x2066 && code <= 0x2069) || (code >= 0xd800 && code <= 0xdfff);
}

const WHITE_CONTROLS = /[\t\n\v\f\r\u0085\u2028\u2029]/gu;
const OTHER_CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

function cleaned(text: string): string {
  // The cut above may have halved the last character.
  const last = text.charCodeAt(text.length - 1);
  const whole = last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
  return whole.toWellFormed().replace(WHITE_CONTROLS, ' ').replace(OTHER_CONTROLS, '');
}

/** The first usable web address of a provider image; null when it has none. */
export function imageUrlOf(image: unknown): string | null {
  const urls = listOf(recordOf(image).urlList);
  for (let index = 0; index < urls.length && index < IMAGE_URLS_TRIED_MAX; index++) {
    const url = urls[index];
    if (typeof url === 'string' && isWebUrl(url)) return url;
  }
  return null;
}

/** True for an http(s) address of printable ASCII: nothing else may end up in an `img` of an overlay. */
export function isWebUrl(url: string): boolean {
  if (url.length > URL_CHARS_MAX) return false;
  if (!url.startsWith('https://') && !url.startsWith('http://')) return false;
  for (let index = 0; index < url.length; index++) {
    const code = url.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f) return false;
  }
  return true;
}

/**
 * When the provider says it happened, in milliseconds since the Unix epoch. A time in seconds is understood. One that is
 * too far from `arrivedAt` to be true is replaced by the second in which the message id was given out, else by
 * `arrivedAt`: the former is the same again when the message is repeated.
 */
export function timestampOf(data: JsonRecord, messageId: string | null, arrivedAt: number): number {
  const time = providerTimeOf(data);
  if (isNear(time, arrivedAt)) return time;
  const idTime = timeOfMessageId(messageId);
  return isNear(idTime, arrivedAt) ? idTime : arrivedAt;
}

/** The message's own time in milliseconds since the Unix epoch, believable or not; 0 when it has none. */
export function providerTimeOf(data: JsonRecord): number {
  const time = countOf(recordOf(data.common).createTime, Number.MAX_SAFE_INTEGER);
  return time < SECONDS_BELOW ? time * 1_000 : time;
}

function isNear(time: number, arrivedAt: number): boolean {
  return time >= arrivedAt - TIMESTAMP_BEHIND_MAX_MS && time <= arrivedAt + TIMESTAMP_AHEAD_MAX_MS;
}

/** TikTok's message ids hold, above their lowest 32 bits, the second they were given out: of 86 messages, 78 within a minute. */
function timeOfMessageId(messageId: string | null): number {
  if (messageId === null || messageId.length > USER_ID_DIGITS_MAX || !isDigits(messageId)) return 0;
  return Number(BigInt(messageId) >> 32n) * 1_000;
}
