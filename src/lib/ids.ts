import { randomBytes } from 'node:crypto';
import { assert } from './assert.ts';

/**
 * Identifiers are a three-letter kind, an underscore and 32 hexadecimal digits: a UUIDv7 (RFC 9562), so they sort
 * by the time they were made. PostgreSQL keeps the 16 bytes as `uuid`; everything above `src/db` sees the prefixed form.
 */
export const ID_PREFIXES = {
  channel: 'chn',
  stream: 'str',
  session: 'ses',
  member: 'mem',
  gap: 'gap',
  accessKey: 'key',
  user: 'usr',
  signIn: 'sig',
  client: 'cli',
  clientKey: 'ckt',
  invitation: 'inv',
  passkey: 'psk',
  tokenFamily: 'tkf',
  manifest: 'man',
  auditEntry: 'aud',
  externalIdentity: 'xid',
  staffAccess: 'sta',
  mail: 'mai',
} as const;
export type IdKind = keyof typeof ID_PREFIXES;

declare const kind: unique symbol;
export type Id<K extends IdKind> = string & { readonly [kind]: K };
export type ChannelId = Id<'channel'>;
export type StreamId = Id<'stream'>;
export type SessionId = Id<'session'>;
export type MemberId = Id<'member'>;
export type GapId = Id<'gap'>;
export type AccessKeyId = Id<'accessKey'>;
export type UserId = Id<'user'>;
export type SignInId = Id<'signIn'>;
export type ClientId = Id<'client'>;
export type ClientKeyId = Id<'clientKey'>;

const ID_PATTERN = /^([a-z]{3})_([0-9a-f]{32})$/;

/** A new identifier of `kind` whose first 48 bits are `nowMs`. */
export function newId<K extends IdKind>(kind: K, nowMs: number): Id<K> {
  const random = randomBytes(10);
  random[0] = ((random[0] ?? 0) & 0x0f) | 0x70; // version 7
  random[2] = ((random[2] ?? 0) & 0x3f) | 0x80; // variant 10
  const time = nowMs.toString(16).padStart(12, '0');
  // The pattern is the one `parseId` accepts, so the brand holds.
  return `${ID_PREFIXES[kind]}_${time}${random.toString('hex')}` as Id<K>;
}

/** `text` as an identifier of `kind`, or undefined when it is not one. */
export function parseId<K extends IdKind>(kind: K, text: string): Id<K> | undefined {
  const match = ID_PATTERN.exec(text);
  if (match === null || match[1] !== ID_PREFIXES[kind]) return undefined;
  return text as Id<K>; // the pattern above is what the brand promises
}

/** The identifier behind a `uuid` column's text (with or without dashes). */
export function idFromUuid<K extends IdKind>(kind: K, uuid: string): Id<K> {
  const hex = uuid.replaceAll('-', '');
  assert(hex.length === 32, 'a uuid has 32 hexadecimal digits');
  return `${ID_PREFIXES[kind]}_${hex}` as Id<K>; // checked length, PostgreSQL made the digits
}

/** The text that a `uuid` column takes. PostgreSQL accepts the digits without dashes. */
export function uuidFromId(id: Id<IdKind>): string {
  return id.slice(4);
}
