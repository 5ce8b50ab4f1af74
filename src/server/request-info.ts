import type { IncomingMessage } from 'node:http';
import type { RequestInfo } from '../context.ts';
import type { ClientAddress } from './client-address.ts';

/** A browser's name is kept to this many characters. */
const USER_AGENT_MAX = 256;

/** How a request came, and from where. */
export function requestInfoOf(
  request: IncomingMessage,
  transport: RequestInfo['transport'],
  clientAddress: ClientAddress,
): RequestInfo {
  return {
    address: clientAddress(request),
    userAgent: request.headers['user-agent']?.slice(0, USER_AGENT_MAX) ?? null,
    origin: request.headers.origin ?? null,
    transport,
  };
}
