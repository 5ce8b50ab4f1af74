import { UserError } from '../../errors/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { isLoopbackHost } from '../../lib/loopback.ts';
import type { SignBudget } from '../sign-budget.ts';

/**
 * Who tells which room a handle is live in. `direct`: TikTok's own web routes, and only the socket's address is signed
 * by the sign server. `euler`: the sign provider's look-ups, for addresses that TikTok's web routes refuse.
 */
export const LOOKUP_PROVIDERS = ['direct', 'euler'] as const;
export type LookupProvider = (typeof LOOKUP_PROVIDERS)[number];

/** Where TikTok and the sign server are. Hosts carry an optional port and no scheme: https, except on loopback. */
export interface TikTokHosts {
  readonly webHost: string;
  readonly webcastHost: string;
  /** Base address of the sign server, with its scheme. */
  readonly signUrl: string;
}

export interface TikTokSourceOptions {
  readonly hosts: TikTokHosts;
  readonly provider: LookupProvider;
  /** The tenant's own key of the sign server; null uses the server's anonymous quota. */
  readonly signKey: string | null;
  /** Asked before every request to the sign server, told when it refuses for its limit. */
  readonly signBudget: SignBudget;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest time from `open` to an open socket, in milliseconds. */
  readonly connectTimeoutMs?: number;
}

/** A room look-up, a signature and a handshake take 1 to 3 s; the connector's own limit for the handshake alone is 20 s. */
export const CONNECT_TIMEOUT_MS = 15_000;

/** A host that would be talked to in the clear. */
export class InsecureHostError extends UserError {
  override readonly name = 'InsecureHostError';
  readonly code = 'INSECURE_HOST';
}

/**
 * @throws InsecureHostError when the sign server's address is neither https nor on loopback: keys and signed
 *   addresses would travel in the clear.
 */
export function requireSecureHosts(hosts: TikTokHosts): void {
  const sign = URL.parse(hosts.signUrl);
  if (sign === null) throw new InsecureHostError("The sign server's address is not a web address.");
  if (sign.protocol !== 'https:' && !isLoopbackHost(sign.host)) {
    throw new InsecureHostError(
      `The sign server's address must start with https://, not ${sign.protocol}//.`,
    );
  }
}
