import { isIPv4 } from 'node:net';

/** True when `host` (with or without a port) is this machine itself, so that nobody can listen on the way. */
export function isLoopbackHost(host: string): boolean {
  const { hostname } = new URL(`http://${host}`);
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIPv4(hostname) && hostname.startsWith('127.');
}

/** The base address of a host: https, except on loopback. */
export function baseUrlOf(host: string): string {
  return `${isLoopbackHost(host) ? 'http' : 'https'}://${host}`;
}
