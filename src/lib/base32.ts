const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** The bytes in base32 (RFC 4648) without padding, lower case: eight digits for five bytes, none that look alike. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let heldBits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    heldBits += 8;
    while (heldBits >= 5) {
      heldBits -= 5;
      text += ALPHABET[(held >>> heldBits) & 31];
    }
    held &= (1 << heldBits) - 1;
  }
  return heldBits === 0 ? text : text + ALPHABET[(held << (5 - heldBits)) & 31];
}
