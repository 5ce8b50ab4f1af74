import { createHash } from 'node:crypto';

/** The SHA-256 of a text in UTF-8, 32 bytes. What of random keys and tokens is stored: unkeyed and unsalted is enough for 128 bits. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
