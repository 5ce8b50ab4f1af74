import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as requestPlainly } from 'node:http';
import { request as requestSecurely } from 'node:https';
import type { Config } from '../config/config.ts';

/** An answer of the API larger than this is not one of ours. Bytes. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** What came back, unread. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Posts JSON to the API on this machine. Over TLS only the holder of the very certificate in `TLS_CERT_FILE` is talked to: its name
 * is the public one, which loopback is not. Elsewhere (`tls` null, an `https:` address) certificates are checked as usual.
 * Rejects when nothing answers, or when who answers has another certificate.
 */
export async function postToApi(
  url: string,
  request: {
    readonly tls: Config['api']['tls'];
    readonly key: string;
    readonly body: string;
    readonly signal: AbortSignal;
  },
): Promise<ApiAnswer> {
  const { tls, key, body, signal } = request;
  const options = {
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${key}`,
    },
  };
  const sent = url.startsWith('https:')
    ? requestSecurely(url, { ...options, ...(tls === null ? { minVersion: 'TLSv1.2' } : onlyOurs(tls)) })
    : requestPlainly(url, options);
  sent.end(body);
  // Node hands the answer over as the event's first argument.
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > ANSWER_BYTES_MAX) throw new Error('the answer is too large');
  }
  return { status: response.statusCode ?? 0, text };
}

function onlyOurs({ certPath }: { readonly certPath: string }) {
  return {
    ca: readFileSync(certPath),
    // The file's first certificate is the server's own, whoever signed it.
    allowPartialTrustChain: true,
    checkServerIdentity: () => undefined,
    minVersion: 'TLSv1.3',
    agent: false,
  } as const;
}
