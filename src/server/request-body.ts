import { GraphQLError } from 'graphql';
import { z } from 'zod';
import { brokenShape } from './json-shape.ts';
import { JSON_SHAPE } from './limits.ts';

const PARAMETERS = z.object({
  query: z.string().nullish(),
  /** `sha256:` and the hash, in place of a document. */
  documentId: z.string().nullish(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
});

/** One GraphQL request, as its body says it. */
export interface RequestParameters {
  /** Empty when a registered operation is named. */
  query: string;
  documentId?: string;
  operationName?: string;
  variables?: Record<string, unknown>;
  extensions?: Record<string, unknown>;
}

/**
 * Reads a request: one JSON object, never a list of them (batching), not nested beyond reason. With `get`, also one in
 * the query of the address; what runs by GET must be a query, which Yoga sees to.
 * @throws GraphQLError saying what is wrong with it
 */
export async function readParameters(
  request: Request,
  options: { readonly get: boolean },
): Promise<RequestParameters> {
  if (options.get && request.method === 'GET') return readSearch(request.url);
  const mediaType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw badRequest('Send the request as application/json.', 'UNSUPPORTED_MEDIA_TYPE');
  }
  return parameters(parseJson(await readText(request)));
}

/** @throws GraphQLError */
function parameters(body: unknown): RequestParameters {
  const parsed = PARAMETERS.safeParse(body);
  if (!parsed.success || !namesDocument(parsed.data)) {
    throw badRequest(
      'The body must be one JSON object with `query` (text) or `documentId`, and, if needed, `operationName`, `variables` and `extensions`.',
    );
  }
  const { query, documentId, operationName, variables, extensions } = parsed.data;
  return {
    query: query ?? '',
    ...(documentId == null ? {} : { documentId }),
    ...(operationName == null ? {} : { operationName }),
    ...(variables == null ? {} : { variables }),
    ...(extensions == null ? {} : { extensions }),
  };
}

/** Whether it says what to run. What else stands in `extensions` is nobody's business. */
function namesDocument({ query, documentId, extensions }: z.infer<typeof PARAMETERS>): boolean {
  return query != null || documentId != null || extensions?.persistedQuery != null;
}

async function readText(request: Request): Promise<string> {
  try {
    return await request.text();
  } catch (error) {
    // A client that left while it sent is no outage of ours, and nothing to log. Anything else is said as it is.
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
      throw badRequest('The body was cut off.');
    throw error;
  }
}

/** A request in the query of an address: the two maps are JSON. */
function readSearch(url: string): RequestParameters {
  const search = new URL(url).searchParams;
  const map = (name: string) => {
    const text = search.get(name);
    return text === null || text === '' ? null : parseJson(text);
  };
  return parameters({
    query: search.get('query'),
    operationName: search.get('operationName') || null,
    variables: map('variables'),
    extensions: map('extensions'),
  });
}

function parseJson(text: string): unknown {
  const broken = brokenShape(text, JSON_SHAPE);
  if (broken === 'depthMax') throw badRequest('The request is nested too deeply.');
  if (broken === 'valuesMax') throw badRequest('The request has too many values.');
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('The body is not JSON.');
  }
}

function badRequest(message: string, code = 'BAD_REQUEST'): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
