import { createHmac } from 'node:crypto';
import { InvalidInputError } from '../../errors/invalid-input.ts';
import { deriveKey, type MasterKey } from '../../privacy/master-key.ts';

/** The longest address there can be, in characters. @see https://www.rfc-editor.org/errata/eid1690 */
const ADDRESS_LENGTH_MAX = 254;
/** One `@`, something on both sides, a dot in the domain, nothing that could begin another header or recipient. */
const ADDRESS_PATTERN = /^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+\.[^\s@<>,;:"()[\]\\.]{2,}$/;

/**
 * An address as somebody typed it, without white space around it. Whether anybody reads it, only a mail can tell.
 * @throws InvalidInputError naming `field`
 */
export function parseEmailAddress(text: string, field: string): string {
  const address = text.trim().normalize('NFKC');
  if (address.length <= ADDRESS_LENGTH_MAX && ADDRESS_PATTERN.test(address)) return address;
  const message = `${field} must be an e-mail address.`;
  throw new InvalidInputError([{ path: [field], code: 'INVALID_FORMAT', message }]);
}

/** By which an account is found: a keyed hash of 32 bytes, the same in whatever case the address was typed. */
export function emailHash(masterKey: MasterKey, address: string): Buffer {
  const key = deriveKey(masterKey, 'e-mail hash');
  return createHmac('sha256', key).update(address.trim().normalize('NFKC').toLowerCase()).digest();
}
