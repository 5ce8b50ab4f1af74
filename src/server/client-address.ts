import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Says where a request came from. */
export type ClientAddress = (request: IncomingMessage) => string | null;

/** Entries of `X-Forwarded-For` that are looked at, from the end. */
const HOPS_MAX = 10;

/** Whether an address is one of our proxies'. */
export type ProxyTrust = (address: string) => boolean;

/** Trust in these addresses and networks. */
export function createProxyTrust(trustedProxies: readonly string[]): ProxyTrust {
  const trusted = new BlockList();
  for (const entry of trustedProxies) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    return isIP(plain) !== 0 && trusted.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
  };
}

/**
 * Where requests came from: the peer, or, when the peer is one of our proxies, the last address in `X-Forwarded-For` that
 * is none of them. What stands before that one the client wrote itself.
 */
export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  const isTrusted = createProxyTrust(trustedProxies);
  return (request) => {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    if (trustedProxies.length === 0 || !isTrusted(peer)) return peer === '' ? null : peer;
    const named = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
    const hops = named.map((hop) => plainAddress(hop.trim())).slice(-HOPS_MAX);
    const nearest = hops.findLast((hop) => !isTrusted(hop)) ?? '';
    // What cannot be read (with a port, `unknown`) names nobody; what stands before it the client wrote itself.
    return isIP(nearest) === 0 ? peer : nearest;
  };
}

function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
