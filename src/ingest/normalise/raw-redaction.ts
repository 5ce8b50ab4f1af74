import { classify, type KeyClass, remembered } from './raw-keys.ts';
import { isDigits, isWebUrl, type JsonRecord, textOf } from './reading.ts';

/**
 * What is kept of a message that has no event type: its shape and its numbers, with everyone in it replaced by a keyed
 * pseudonym and everything they wrote left out. Deny by default: whole persons go, also fields that name persons, ids
 * that could be a person's, and each place where a name found in the message appears again inside other text.
 */

/** Limits of one message's kept data; beyond them it is cut and marked with `$truncated`. */
const RAW_NODES_MAX = 2_000;
export const RAW_CHARS_MAX = 16_384;
const RAW_DEPTH_MAX = 16;
const RAW_LIST_MAX = 50;
/** Fields looked at in search of names, kept or not; nothing is kept of a message with more. */
export const RAW_SCANNED_MAX = 50_000;
const RAW_SCAN_DEPTH_MAX = 100;
/** Names looked for in the texts kept; nothing is kept of a message with more. A ranking of 100 viewers has 400. */
export const RAW_NAMES_MAX = 1_000;
const RAW_TEXT_CHARS_MAX = 500;
/** Stands in the place of text that people wrote. */
export const REDACTED = '[redacted]';
/** Key of the mark on cut data. */
export const TRUNCATED_KEY = '$truncated';

/** Names shorter than this are replaced only where they are the whole text: any word contains an "a". */
const CONTAINED_CHARS_MIN = 3;

/** Redacts one message's data. */
export type RawRedactor = (data: JsonRecord) => JsonRecord;

const FIELD_NAME = /^[\w$.-]{1,64}$/u;
/** The fields that make any object a person, wherever it is. */
const PERSON_MARKS = [
  'nickname',
  'nickName',
  'displayId',
  'uniqueId',
  'secUid',
  'nick_name',
  'display_id',
] as const;
/** Where a person's stand-in comes from, best first. */
const PERSON_IDS = [
  'id',
  'userId',
  'idStr',
  'userIdStr',
  'uid',
  'secUid',
  'displayId',
  'uniqueId',
  'nickname',
] as const;
/** TikTok's servers of profile pictures have this in their addresses. */
const AVATAR_URL_MARK = '-avt-';
/** Longer numbers in text form are ids (int64); a time in milliseconds has 13 digits. */
const LONG_ID_DIGITS_MIN = 15;
/** The shortest user ids seen have 8 digits; a map keyed by such numbers is taken to be keyed by persons. */
const MAP_ID_DIGITS_MIN = 6;

export function createRawRedactor(pseudonym: (value: string) => string): RawRedactor {
  const lookUp: LookUp = {
    classOf: remembered(classify),
    pseudonymOf: remembered(pseudonym),
  };
  return (data) => new Redaction(lookUp).run(data);
}

interface LookUp {
  classOf(key: string): KeyClass;
  pseudonymOf(value: string): string;
}

/** A kept text and where it is, to look at again once all names are known. */
interface KeptText {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
  readonly text: string;
}

/** One message's walk. */
class Redaction {
  readonly #lookUp: LookUp;
  readonly #names = new Set<string>();
  readonly #kept: KeptText[] = [];
  #nodes = 0;
  #chars = 0;
  #scanned = 0;
  #truncated: boolean = false;

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  run(data: JsonRecord): JsonRecord {
    const result = this.#record(data, 0);
    if (this.#truncated) {
      // What was cut off may name people whom the kept part speaks of.
      this.#collectNames(data, false, 0);
      result[TRUNCATED_KEY] = true;
    }
    const isTooMuch = this.#scanned > RAW_SCANNED_MAX || this.#names.size > RAW_NAMES_MAX;
    if (isTooMuch) return { [TRUNCATED_KEY]: true };
    this.#replaceNames();
    return result;
  }

  /** Undefined for what is left out: defaults, bytes, functions. As in the JSON form of protobuf, a default is not said. */
  #value(value: unknown, keyClass: KeyClass, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return value === '' || value === '0' ? undefined : this.#text(value, keyClass);
      case 'number':
        return value === 0 || !Number.isFinite(value) ? undefined : this.#number(value, keyClass);
      case 'bigint':
        return this.#text(String(value), keyClass);
      case 'boolean':
        return value || undefined;
      case 'object':
        return value === null || ArrayBuffer.isView(value) ? undefined : this.#object(value, keyClass, depth);
      default:
        return undefined;
    }
  }

  #object(value: object, keyClass: KeyClass, depth: number): unknown {
    if (depth >= RAW_DEPTH_MAX) {
      this.#truncated = true;
      return undefined;
    }
    if (Array.isArray(value)) return this.#list(value, keyClass, depth);
    const record = value as JsonRecord; // not null, no list, no bytes
    if (keyClass === 'PERSON' || keyClass === 'NAMES_PERSON' || isPerson(record)) {
      return this.#person(record);
    }
    const result = this.#record(record, depth);
    return Object.keys(result).length === 0 ? undefined : result;
  }

  #list(list: readonly unknown[], keyClass: KeyClass, depth: number): unknown {
    const result: unknown[] = [];
    for (const entry of list) {
      if (result.length >= RAW_LIST_MAX || !this.#affords(0)) {
        this.#truncated = true;
        break;
      }
      const kept = this.#value(entry, keyClass, depth + 1);
      if (kept === undefined) continue;
      result.push(kept);
      if (typeof kept === 'string') this.#kept.push({ parent: result, key: result.length - 1, text: kept });
    }
    return result.length === 0 ? undefined : result;
  }

  #record(record: JsonRecord, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const key in record) {
      if (!Object.hasOwn(record, key)) continue;
      const value = record[key];
      if (value === undefined || value === '' || value === '0' || value === 0 || value === false) continue;
      if (!this.#affords(key.length)) {
        this.#truncated = true;
        break;
      }
      const kept = this.#value(value, this.#lookUp.classOf(key), depth + 1);
      if (kept === undefined) continue;
      const name = this.#keyName(key);
      if (name === '__proto__') continue; // would not be a field
      result[name] = kept;
      if (typeof kept === 'string') this.#kept.push({ parent: result, key: name, text: kept });
    }
    return result;
  }

  #keyName(key: string): string {
    if (key.length >= MAP_ID_DIGITS_MIN && isDigits(key)) return this.#standIn(key);
    // Fields have plain names. Anything else is the key of a map, and may be a name or a text.
    return FIELD_NAME.test(key) ? key : REDACTED;
  }

  /** A person as a whole: nothing of it is kept but a stand-in for who it is. */
  #person(person: JsonRecord): unknown {
    this.#collectNames(person, true, 0);
    for (const field of PERSON_IDS) {
      const id = person[field];
      if (typeof id === 'string' && id !== '' && id !== '0') return { pseudonym: this.#standIn(id) };
      if (typeof id === 'number' && id > 0) return { pseudonym: this.#standIn(String(id)) };
    }
    return REDACTED;
  }

  /** Finds the names in what is left out: they may appear again in what is kept. */
  #collectNames(value: unknown, inPerson: boolean, depth: number): void {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
    if (depth > RAW_SCAN_DEPTH_MAX) this.#scanned = RAW_SCANNED_MAX; // the next field is one too many
    if (Array.isArray(value)) {
      for (const entry of value) {
        this.#scanned += 1;
        if (this.#scanned > RAW_SCANNED_MAX) return;
        this.#collectNames(entry, inPerson, depth + 1);
      }
      return;
    }
    const record = value as JsonRecord; // not null, no list, no bytes
    const person = inPerson || isPerson(record);
    for (const key in record) {
      this.#scanned += 1;
      if (this.#scanned > RAW_SCANNED_MAX) return;
      const field = record[key];
      if (typeof field === 'object') {
        this.#collectNames(field, person || this.#lookUp.classOf(key) === 'PERSON', depth + 1);
      } else if (typeof field === 'string' && field !== '' && field !== '0') {
        if ((person && key === 'id') || this.#lookUp.classOf(key) === 'NAMES_PERSON') this.#addName(field);
      }
    }
  }

  #addName(name: string): void {
    // A short number is a level or a count more often than somebody's id.
    if (name.length < MAP_ID_DIGITS_MIN && isDigits(name)) return;
    const clean = textOf(name, RAW_TEXT_CHARS_MAX);
    if (clean !== '') this.#names.add(clean);
  }

  #text(value: string, keyClass: KeyClass): unknown {
    if (keyClass === 'NAMES_PERSON' || keyClass === 'PERSON') {
      this.#addName(value);
      return this.#standIn(value);
    }
    const isNumber = isDigits(value);
    if (keyClass === 'WRITTEN' && !(isNumber && value.length < MAP_ID_DIGITS_MIN)) return REDACTED;
    if (isNumber) return this.#digits(value, keyClass);
    if (isWebUrl(value)) return value.includes(AVATAR_URL_MARK) ? undefined : this.#charged(value);
    return this.#charged(textOf(value, RAW_TEXT_CHARS_MAX));
  }

  #digits(digits: string, keyClass: KeyClass): string {
    const mayBePerson = digits.length >= LONG_ID_DIGITS_MIN && keyClass !== 'PUBLIC_ID';
    return mayBePerson ? this.#standIn(digits) : this.#charged(textOf(digits, RAW_TEXT_CHARS_MAX));
  }

  #number(value: number, keyClass: KeyClass): unknown {
    if (keyClass === 'NAMES_PERSON' || keyClass === 'PERSON') return this.#standIn(String(value));
    return Number.isInteger(value) && value >= 10 ** (LONG_ID_DIGITS_MIN - 1)
      ? this.#digits(String(value), keyClass)
      : value;
  }

  #standIn(value: string): string {
    return this.#charged(this.#lookUp.pseudonymOf(value));
  }

  #charged(text: string): string {
    this.#chars += text.length;
    return text;
  }

  /** Charges for one more node; false when the message has had its share. */
  #affords(chars: number): boolean {
    this.#nodes += 1;
    this.#chars += chars;
    return this.#nodes <= RAW_NODES_MAX && this.#chars <= RAW_CHARS_MAX;
  }

  /** Takes the names found out of every other text. Almost no message needs it, so one look over all texts comes first. */
  #replaceNames(): void {
    if (this.#names.size === 0 || this.#kept.length === 0) return;
    const all = `\n${this.#kept.map((kept) => kept.text).join('\n')}\n`;
    for (const name of this.#names) {
      const isWhole = name.length < CONTAINED_CHARS_MIN;
      if (!all.includes(isWhole ? `\n${name}\n` : name)) continue;
      for (const { parent, key, text } of this.#kept) {
        // A list's key is an index into it and a record's a name in it: both came from the walk.
        if (isWhole ? text === name : text.includes(name))
          (parent as Record<string | number, unknown>)[key] = REDACTED;
      }
    }
  }
}

function isPerson(record: JsonRecord): boolean {
  for (const mark of PERSON_MARKS) {
    const value = record[mark];
    if (typeof value === 'string' && value !== '') return true;
  }
  return false;
}
