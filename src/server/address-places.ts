import type { Server } from 'node:net';
import { addressBlock } from '../limits/address.ts';
import type { ProxyTrust } from './client-address.ts';

/** How many of something each address has in this process. */
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

/**
 * Takes no more connections of one address than it may have, idle ones too, so that one address cannot have them all. Our own proxies may:
 * what comes through them is counted by request.
 */
export function limitConnections(
  server: Server,
  { places, isTrustedProxy }: { readonly places: AddressPlaces; readonly isTrustedProxy: ProxyTrust },
): void {
  server.on('connection', (socket) => {
    const { remoteAddress } = socket;
    // Gone already.
    if (remoteAddress === undefined || isTrustedProxy(remoteAddress)) return;
    const free = places.take(remoteAddress);
    if (free === null) socket.destroy();
    else socket.once('close', free);
  });
}
