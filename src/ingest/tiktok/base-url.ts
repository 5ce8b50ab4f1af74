import { isLoopbackHost } from '../../lib/loopback.ts';

/** The base address of a host: https, except on loopback. */
export function baseUrlOf(host: string): string {
  return `${isLoopbackHost(host) ? 'http' : 'https'}://${host}`;
}
