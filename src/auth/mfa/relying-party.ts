import { isIP } from 'node:net';

/** Whom passkeys are made for. */
export interface RelyingParty {
  /** The domain, as WebAuthn's `rp.id`. */
  readonly id: string;
  /** The page that may use them. */
  readonly origin: string;
}

/**
 * The relying party behind our public address. Passkeys belong to a domain, so an installation that is reached at an
 * address of this machine has them at `localhost` with the same port; any other bare address has none: null.
 */
export function relyingPartyOf(publicUrl: string): RelyingParty | null {
  const url = new URL(publicUrl);
  if (/^127\.|^\[::1\]$/.test(url.hostname)) url.hostname = 'localhost';
  const bare = url.hostname.startsWith('[') || isIP(url.hostname) !== 0;
  // Browsers offer passkeys to secure pages only; localhost counts as one.
  const secure = url.protocol === 'https:' || url.hostname === 'localhost';
  return bare || !secure ? null : { id: url.hostname, origin: url.origin };
}
