import { isLoopbackHost } from '../lib/loopback.ts';

/** Whether it is an address by https; or by http of this very machine, where there is nobody on the way. */
export function isSecureUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && isLoopbackHost(url.hostname);
}
