import type { CustomFetch } from 'openid-client';

/** An answer of a provider larger than this is none, in bytes: keys and metadata are some 10 kB. */
const ANSWER_BYTES_MAX = 256 * 1024;

/** The provider did not answer, or with a failure of its own. */
export class ProviderSilentError extends Error {
  override readonly name = 'ProviderSilentError';
}

/** Something would have been asked of a place where the provider may not be. */
export class ForbiddenPlaceError extends Error {
  override readonly name = 'ForbiddenPlaceError';
}

/**
 * Asks a provider, and nobody else: what its metadata names of other origins than these is not asked, whatever it is in our network.
 * Redirects are not followed, and an answer has an end.
 */
export function guardedFetch(origins: ReadonlySet<string>): CustomFetch {
  return async (url, options) => {
    if (!origins.has(new URL(url).origin)) {
      throw new ForbiddenPlaceError('the provider names an endpoint of an origin that it may not use');
    }
    let response: Response;
    let body: Uint8Array<ArrayBuffer>;
    try {
      // The library's type of a body is wider than fetch's own in name only.
      response = await fetch(url, { ...(options as RequestInit), redirect: 'manual' });
      body = await readBody(response);
    } catch (error) {
      throw new ProviderSilentError('the provider does not answer', { cause: error });
    }
    if (response.status >= 500) throw new ProviderSilentError(`the provider answers ${response.status}`);
    const { status, headers } = response;
    return new Response(body.length === 0 ? null : body, { status, headers });
  };
}

async function readBody(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
