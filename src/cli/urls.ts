import type { Config } from '../config/config.ts';
import type { ChannelId } from '../lib/ids.ts';

/** Where a process on this machine reaches the API; `port` is the one in fact, should the configured one be 0. */
export function apiUrl(config: Config, port = config.api.port): string {
  const { host, tls } = config.api;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${tls === null ? 'http' : 'https'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** A channel's overlay. What the key opens stands behind the `#`, which browsers never send. */
export function overlayUrl(base: string, channel: { readonly id: ChannelId; readonly key: string }): string {
  return `${base}/overlay/#channel=${channel.id}&key=${channel.key}`;
}
