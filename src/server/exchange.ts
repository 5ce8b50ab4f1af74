import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorDocs } from './error-page.ts';

/** One HTTP request under way. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Without the query. */
  readonly path: string;
}

/** A refusal in the shape of a GraphQL answer, which every client here can read. */
export function refuse(
  exchange: Exchange,
  status: number,
  code: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): void {
  // The body was not read and will not be: the connection cannot be used for another request.
  if (exchange.request.method === 'POST') exchange.response.setHeader('connection', 'close');
  const extensions = { code, requestId: exchange.requestId, docs: errorDocs(code), ...details };
  answer(exchange, status, { errors: [{ message, extensions }] });
}

/** Answers with JSON. */
export function answer({ request, response }: Exchange, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store');
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
