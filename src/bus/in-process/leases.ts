import type { Clock } from '../../lib/clock.ts';
import type { Lease, LeaseProof } from '../port.ts';

interface Holding {
  ownerId: string | null;
  epoch: number;
  expiresAt: number;
}

/** The in-process bus's leases. A name's epoch outlives its holders, so a proof of long ago stays refused. */
export class Leases {
  readonly #clock: Clock;
  readonly #holdings = new Map<string, Holding>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether `proof` is of the latest taking and not given back. An expired lease that nobody took since still counts. */
  isCurrent(proof: LeaseProof): boolean {
    const holding = this.#holdings.get(proof.name);
    return holding !== undefined && holding.epoch === proof.epoch && holding.ownerId === proof.ownerId;
  }

  acquire(request: {
    readonly name: string;
    readonly ownerId: string;
    readonly ttlMs: number;
  }): Lease | null {
    const { name, ownerId, ttlMs } = request;
    const nowMs = this.#clock.nowMs();
    const held = this.#holdings.get(name);
    const byOther = held !== undefined && held.ownerId !== null && held.ownerId !== ownerId;
    if (byOther && held.expiresAt > nowMs) return null;
    const proof: LeaseProof = { name, ownerId, epoch: (held?.epoch ?? 0) + 1 };
    this.#holdings.set(name, { ownerId, epoch: proof.epoch, expiresAt: nowMs + ttlMs });
    return {
      ...proof,
      renew: async () => this.#renew(proof, ttlMs),
      release: async () => this.#release(proof),
    };
  }

  #renew(proof: LeaseProof, ttlMs: number): boolean {
    const holding = this.#holdings.get(proof.name);
    if (holding === undefined || !this.isCurrent(proof)) return false;
    holding.expiresAt = this.#clock.nowMs() + ttlMs;
    return true;
  }

  #release(proof: LeaseProof): void {
    const holding = this.#holdings.get(proof.name);
    if (holding !== undefined && this.isCurrent(proof)) holding.ownerId = null;
  }
}
