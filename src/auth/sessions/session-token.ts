import { randomBytes } from 'node:crypto';
import { sha256 } from '../../lib/sha256.ts';

/** What opens a session: 200 random bits in base32, in lower case. */
const TOKEN_PATTERN = /^[a-z2-7]{40}$/;
const TOKEN_BYTES = 25;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Whether the text may be a session's token. Everything else is refused without a look at the database. */
export function isSessionToken(text: string): boolean {
  return TOKEN_PATTERN.test(text);
}

/** A new token: 40 characters. */
export function newSessionToken(): string {
  let token = '';
  let bits = 0;
  let held = 0;
  for (const byte of randomBytes(TOKEN_BYTES)) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) token += BASE32[(held >>> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return token;
}

/** Only this is stored, 32 bytes. Unsalted is enough: tokens are 200 random bits. */
export function hashOfSessionToken(token: string): Buffer {
  return sha256(token);
}
