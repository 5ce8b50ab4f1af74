import { randomFillSync } from 'node:crypto';

/** AES-GCM's own length. */
export const NONCE_BYTES = 12;
/** Drawn from the system at a time: the way there costs more than the bytes. */
const NONCES_PER_DRAW = 512;

/** Random nonces, each given out once. */
export class NonceSource {
  readonly #drawn = Buffer.alloc(NONCE_BYTES * NONCES_PER_DRAW);
  #used = this.#drawn.length;

  /** The next nonce. Its bytes are good until the next call: copy them. */
  next(): Buffer {
    if (this.#used === this.#drawn.length) {
      randomFillSync(this.#drawn);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += NONCE_BYTES;
    return this.#drawn.subarray(start, this.#used);
  }
}
