import type { IncomingMessage } from 'node:http';
import { clerkNote } from '../audit/notes.ts';
import { actOnClerkEvent } from '../auth/external/clerk/webhook.ts';
import type { Services } from '../context.ts';
import type { AddressPlaces } from './address-places.ts';
import type { ClientAddress } from './client-address.ts';
import { type Exchange, refuse } from './exchange.ts';
import { WEBHOOK_BYTES_MAX } from './limits.ts';

/** Where Clerk tells what has ended there. */
export const CLERK_WEBHOOK_PATH = '/webhooks/clerk';

/** What identifies a webhook and says who sent it. */
const SIGNED_HEADERS = ['svix-id', 'svix-timestamp', 'svix-signature'] as const;

interface WebhookDeps {
  readonly services: Services;
  readonly places: AddressPlaces;
  readonly clientAddress: ClientAddress;
}

/**
 * Takes a webhook of Clerk: 204 once it is acted on, or was before, or is nothing to us; 400 without its headers, 401 when Clerk has not
 * signed it within the last five minutes, 405 by another method than POST, 413 when it is too large. Anything else and Clerk tries again.
 */
export async function serveClerkWebhook(
  { services, places, clientAddress }: WebhookDeps,
  exchange: Exchange,
): Promise<void> {
  const { request, response, requestId } = exchange;
  const { clerk } = services.externalProviders;
  if (clerk === null || !clerk.takesWebhooks)
    return refuse(exchange, 404, 'NOT_FOUND', 'There is nothing here.');
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    return refuse(exchange, 405, 'METHOD_NOT_ALLOWED', 'Webhooks are sent by POST.');
  }
  const headers = new Headers();
  for (const name of SIGNED_HEADERS) {
    const value = request.headers[name];
    if (typeof value === 'string' && value !== '') headers.set(name, value);
  }
  if ([...headers].length !== SIGNED_HEADERS.length) {
    return refuse(exchange, 400, 'BAD_REQUEST', `A webhook has the headers ${SIGNED_HEADERS.join(', ')}.`);
  }
  const free = places.take(clientAddress(request));
  if (free === null) {
    return refuse(exchange, 429, 'TOO_MANY_CONNECTIONS', 'Too many connections are open from this address.');
  }
  response.once('close', free);
  const body = await readBody(request);
  if (body === null)
    return refuse(
      exchange,
      413,
      'REQUEST_ENTITY_TOO_LARGE',
      `A webhook has at most ${WEBHOOK_BYTES_MAX} bytes.`,
    );
  const event = await clerk.readWebhook(
    new Request('http://here.invalid', { method: 'POST', headers, body }),
  );
  if (event === null) {
    services.audit.countRefusal({ action: 'clerkWebhook', code: 'UNAUTHENTICATED' });
    return refuse(exchange, 401, 'UNAUTHENTICATED', 'The webhook is not signed as it should be, or too old.');
  }
  const changes = await actOnClerkEvent(services, event);
  for (const change of changes) await services.audit.record(clerkNote(change, requestId));
  services.logger.info({ requestId, type: event.type, changes: changes.length }, 'clerk.webhook');
  response.writeHead(204).end();
}

/** The body as it was sent; null when it is larger than it may be, in which case not all of it was read. */
async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer> | null> {
  if (Number(request.headers['content-length'] ?? 0) > WEBHOOK_BYTES_MAX) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > WEBHOOK_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
