import { addressBlock } from '../limits/address.ts';

/** How many connections each address has open in this process: WebSockets, and requests under way. */
export class AddressPlaces {
  readonly #max: number;
  readonly #taken = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place. Null when the address has as many as it may. The function it gives frees the place, once. */
  take(address: string | null): (() => void) | null {
    const block = addressBlock(address);
    const taken = this.#taken.get(block) ?? 0;
    if (taken >= this.#max) return null;
    this.#taken.set(block, taken + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (this.#taken.get(block) ?? 1) - 1;
      if (left === 0) this.#taken.delete(block);
      else this.#taken.set(block, left);
    };
  }
}
