import { isIPv4, isIPv6 } from 'node:net';

/**
 * Whether `host` is this machine itself, so that nobody can listen on the way: a name or an address as it stands in a URL, with or
 * without a port, or a bare IPv6 address. What cannot be read as one is not.
 */
export function isLoopbackHost(host: string): boolean {
  const hostname = URL.parse(`http://${isIPv6(host) ? `[${host}]` : host}`)?.hostname;
  if (hostname === undefined) return false;
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}
