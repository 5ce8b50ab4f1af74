import type { Config } from '../config/config.ts';
import { isLoopbackHost } from '../lib/loopback.ts';

/** Why keys may be read on their way to us, in a sentence, and what to do; null when they may not. */
export function exposureWarning({ api }: Config): string | null {
  if (isLoopbackHost(api.host) || api.tls !== null || api.publicUrl?.startsWith('https:')) return null;
  return (
    `the API listens on ${api.host} in the clear: whoever sits on the network reads keys and passwords. Set TLS_CERT_FILE and ` +
    'TLS_KEY_FILE, or put a proxy in front that speaks TLS and set TALLYLIGHT_PUBLIC_URL to its https address.'
  );
}
