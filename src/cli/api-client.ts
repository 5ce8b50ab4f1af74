import { existsSync } from 'node:fs';
import { z } from 'zod';
import { operatorKey } from '../auth/access-keys.ts';
import type { Config } from '../config/config.ts';
import { type ApiAnswer, postToApi } from './api-request.ts';
import { RefusedError } from './exit-code.ts';
import { masterKeyOf, masterKeyPath } from './foundation.ts';
import { apiUrl } from './urls.ts';

/** How long the API may take for one answer, in milliseconds. A look at one channel takes up to 8 s. */
const ANSWER_MS = 20_000;

/** The API of a Tallylight that runs on this machine, with the operator's key. */
export interface ApiClient {
  readonly url: string;
  /**
   * The data that a document yields, of the shape that `schema` describes.
   * @throws NoApiError when what answers cannot be used.
   * @throws RefusedError when the API says why it will not.
   */
  ask<T>(request: {
    readonly query: string;
    readonly variables: Readonly<Record<string, unknown>>;
    readonly schema: z.ZodType<T>;
    readonly signal?: AbortSignal;
  }): Promise<T>;
}

/** Why the API cannot be used, in a sentence, and what to do about it. */
export class NoApiError extends Error {
  override readonly name = 'NoApiError';
  readonly advice: string;

  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

/** A client for the API on the configured port. Null when there is no master key yet, so nothing was ever started here. */
export async function createApiClient(config: Config): Promise<ApiClient | null> {
  if (config.masterKey === null && !existsSync(masterKeyPath(config))) return null;
  const key = operatorKey(await masterKeyOf(config));
  return apiClient({ url: apiUrl(config), tls: config.api.tls, key });
}

/** A client for an API anywhere, with a key or an access token of somebody there. */
export function createRemoteApiClient(url: string, key: string): ApiClient {
  return apiClient({ url: url.replace(/\/+$/, ''), tls: null, key });
}

function apiClient(target: {
  readonly url: string;
  readonly tls: Config['api']['tls'];
  readonly key: string;
}): ApiClient {
  const { url } = target;
  return {
    url,
    ask: async ({ query, variables, schema, signal }) => {
      const body = JSON.stringify({ query, variables });
      const answer = await post({ ...target, body, signal });
      const errors = errorsSchema.safeParse(answer);
      if (errors.success) throw new RefusedError(errors.data.errors.map(({ message }) => message).join(' '));
      const data = z.object({ data: schema }).safeParse(answer);
      if (!data.success) throw notTallylight(url);
      return data.data.data;
    },
  };
}

const errorsSchema = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) });

async function post(request: {
  readonly url: string;
  readonly tls: Config['api']['tls'];
  readonly key: string;
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}): Promise<unknown> {
  const { url, tls, key, body } = request;
  const timeout = AbortSignal.timeout(ANSWER_MS);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
  let response: ApiAnswer;
  try {
    response = await postToApi(`${url}/graphql`, { tls, key, body, signal });
  } catch {
    throw new NoApiError(
      `nothing answers at ${url}${tls === null ? '' : ' with the certificate of TLS_CERT_FILE'}.`,
      'Start Tallylight: npm start. If it runs on another port, set TALLYLIGHT_PORT.',
    );
  }
  if (response.status === 401) {
    throw new NoApiError(
      `${url} answers and does not know our key.`,
      'Use the same data folder or master key as the process that answers.',
    );
  }
  try {
    return JSON.parse(response.text);
  } catch {
    throw notTallylight(url);
  }
}

function notTallylight(url: string): NoApiError {
  return new NoApiError(
    `something answers at ${url}, and it is not this version of Tallylight.`,
    'Another program may have the port: choose another one with TALLYLIGHT_PORT.',
  );
}
