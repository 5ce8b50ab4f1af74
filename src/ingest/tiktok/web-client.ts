import EulerStreamApiClient from 'tiktok-live-api-sdk';
import { getRandomPresets, TikTokLiveConnection } from 'tiktok-live-connector';
import { assert } from '../../lib/assert.ts';
import { SIMULATOR_HEADER } from '../../simulator/marker.ts';
import { SourceError } from '../live-source.ts';
import { baseUrlOf } from './base-url.ts';
import type { TikTokHosts } from './options.ts';

/** Largest answer taken from the sign server, in bytes: a first batch of a busy room is about 200 kB. */
const SIGN_ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Largest answer taken from a web route, unpacked, in bytes: a live page has about half a megabyte. */
const WEB_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** A request to a web route or the sign server is given up after this, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

/** One attempt's way out: the connector's HTTP client and the sign server's client, both made for this attempt alone. */
export interface WebClient {
  readonly connection: TikTokLiveConnection;
  readonly presets: ReturnType<typeof getRandomPresets>;
  readonly hosts: TikTokHosts;
  readonly signal: AbortSignal;
}

/**
 * Builds both clients. The connector's own defaults are set right here: plain http for TikTok's hosts becomes https
 * (2.4.0 has the two swapped), and the sign key stays with this instance (2.4.0 keeps it per process).
 */
export function createWebClient(options: {
  readonly handle: string;
  readonly hosts: TikTokHosts;
  readonly signKey: string | null;
  readonly signal: AbortSignal;
}): WebClient {
  const { hosts, signal } = options;
  const presets = getRandomPresets();
  const connection = new TikTokLiveConnection(options.handle, {
    clientPresets: presets,
    eulerApiInstance: createSignClient(hosts.signUrl, options.signKey),
    webConfigOverrides: { TIKTOK_HOST_WEB: hosts.webHost, TIKTOK_HOST_WEBCAST: hosts.webcastHost },
  });
  // `getBaseUrl` is protected, so it is replaced as a property.
  Object.defineProperty(connection.webClient, 'getBaseUrl', { value: baseUrlOf });
  streamAnswers(connection);
  return { connection, presets, hosts, signal };
}

/** The client's `got` reads bodies of any size whole: in its place goes its own streaming form. Protected, so as a property. */
function streamAnswers({ webClient }: TikTokLiveConnection): void {
  const { stream } = Reflect.get(webClient, '_gotInstance') as {
    stream(url: string, options: object): NodeJS.EventEmitter;
  };
  const value = (url: string, options: object) =>
    // Its reader gets the error; one that comes before or after the reading must not end the process.
    stream(url, options).on('error', () => undefined);
  Object.defineProperty(webClient, '_gotInstance', { value });
}

function createSignClient(basePath: string, signKey: string | null): EulerStreamApiClient {
  return new EulerStreamApiClient({
    basePath,
    ...(signKey === null ? {} : { apiKey: signKey }),
    baseOptions: {
      validateStatus: () => true,
      timeout: REQUEST_TIMEOUT_MS,
      maxContentLength: SIGN_ANSWER_BYTES_MAX,
      maxRedirects: 0, // a redirect could carry the key elsewhere
      headers: {},
    },
  });
}

/** What a web route answered. */
export interface WebAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | null;
  readonly simulated: boolean;
}

/**
 * Asks one of TikTok's web routes. Any HTTP status is an answer.
 * @throws what got throws when there is none (network, time, abort); SourceError NETWORK when it is endless.
 */
export async function getRoute(
  client: WebClient,
  request: { readonly host: string; readonly path: string; readonly searchParams?: Record<string, string> },
): Promise<WebAnswer> {
  // A stream, because of `streamAnswers`: its type does not say so.
  const answer = (await client.connection.webClient.request({
    ...request,
    signRequest: false,
    throwHttpErrors: false,
    signal: client.signal,
    timeout: { request: REQUEST_TIMEOUT_MS },
    maxRedirects: 3,
    retry: { limit: 0 }, // got's own retries would hide a 429 and outlive a stop
  })) as unknown as WebStream;
  const body = await textOf(answer);
  const { response } = answer;
  assert(response !== undefined, 'an answer that was read has begun');
  return {
    status: response.statusCode,
    body,
    retryAfter: response.headers['retry-after'] ?? null,
    simulated: response.headers[SIMULATOR_HEADER] === '1',
  };
}

/** What got gives: the unpacked body, and once that has begun, the head. */
type WebStream = AsyncIterable<Buffer> & {
  readonly response?: {
    readonly statusCode: number;
    readonly headers: Readonly<Partial<Record<string, string>>>;
  };
};

/** Leaving the loop ends the request: what a small packed body would unpack to never comes into being. */
async function textOf(answer: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > WEB_ANSWER_BYTES_MAX)
      throw new SourceError('NETWORK', 'TikTok answered more than a page can be.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
