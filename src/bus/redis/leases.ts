import type { Lease, LeaseProof } from '../port.ts';
import type { RedisConnections } from './connections.ts';
import { ACQUIRE_LEASE_SCRIPT, RELEASE_LEASE_SCRIPT, RENEW_LEASE_SCRIPT } from './lease-scripts.ts';

/** A lease to take. */
export interface LeaseRequest {
  readonly key: string;
  readonly name: string;
  readonly ownerId: string;
  readonly ttlMs: number;
  /** For the lease on a shard: where to note that `group` reads it. */
  readonly reading?: { readonly readersKey: string; readonly group: string };
}

/** Takes a lease unless somebody else holds it. @throws DependencyError */
export async function acquireRedisLease(
  connections: RedisConnections,
  request: LeaseRequest,
): Promise<Lease | null> {
  const { key, name, ownerId, ttlMs, reading } = request;
  const keys = reading === undefined ? [key] : [key, reading.readersKey];
  const group = reading?.group ?? '';
  const epoch = Number(await connections.run(ACQUIRE_LEASE_SCRIPT, keys, [ownerId, ttlMs, group]));
  if (epoch === 0) return null;
  const proof: LeaseProof = { name, ownerId, epoch };
  return {
    ...proof,
    renew: async () =>
      (await connections.run(RENEW_LEASE_SCRIPT, keys, [ownerId, ttlMs, group, epoch])) === 1,
    release: async () => {
      await connections.run(RELEASE_LEASE_SCRIPT, [key], [ownerId, epoch]);
    },
  };
}
