import { GraphQLError, type GraphQLErrorOptions, type GraphQLFormattedError } from 'graphql';
import { isOutage } from '../db/outage.ts';
import { DependencyError, UserError } from '../errors/errors.ts';
import { encodeEventCursor } from '../events/event-cursor.ts';
import type { Logger } from '../lib/logger.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { FeedError } from '../live/feed-errors.ts';
import { errorDocs } from './error-page.ts';

/** What an error becomes before it leaves: who asked, and whether stacks may be shown. */
export interface ErrorContext {
  readonly requestId: string;
  readonly development: boolean;
  readonly logger: Logger;
}

/** HTTP status of answers that are nothing but this error. With `spec`, clients of `application/json` still get 200. */
const STATUSES: Readonly<Record<string, { readonly status: number; readonly spec?: true }>> = {
  GRAPHQL_PARSE_FAILED: { status: 400, spec: true },
  GRAPHQL_VALIDATION_FAILED: { status: 400, spec: true },
  OPERATION_RESOLUTION_FAILURE: { status: 400, spec: true },
  COST_EXCEEDED: { status: 400, spec: true },
  RATE_LIMITED: { status: 429 },
  DEADLINE_EXCEEDED: { status: 504, spec: true },
  BAD_USER_INPUT: { status: 400, spec: true },
  OPERATION_NOT_REGISTERED: { status: 400, spec: true },
  FREE_FORM_NOT_ALLOWED: { status: 400, spec: true },
  BAD_REQUEST: { status: 400 },
  UNAUTHENTICATED: { status: 401, spec: true },
  REQUEST_ENTITY_TOO_LARGE: { status: 413 },
  UNAVAILABLE: { status: 503, spec: true },
  UNSUPPORTED_MEDIA_TYPE: { status: 415 },
};

/** The errors this module made: each leaves as it is. */
const formatted = new WeakSet<object>();

/**
 * The error as a client may see it: with a code of the closed list and the request's id, without suggestions, and without
 * anything about what went wrong inside. Unexpected ones are logged here, once.
 */
export function formatError(error: unknown, context: ErrorContext): GraphQLError {
  if (error instanceof GraphQLError && formatted.has(error)) return error;
  const result = makeError(error, context);
  formatted.add(result);
  return result;
}

function makeError(error: unknown, context: ErrorContext): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const cause = rootCause(error);
  if (cause instanceof UserError) return shown(cause.message, cause.code, located, context, detailsOf(cause));
  if (isUnavailable(cause)) {
    context.logger.warn({ requestId: context.requestId, err: cause }, 'request.dependency.failed');
    return shown(UNAVAILABLE_MESSAGE, 'UNAVAILABLE', located, context);
  }
  const code = cause instanceof GraphQLError ? codeOf(cause) : null;
  if (cause instanceof GraphQLError && code !== null) {
    return shown(withoutSuggestion(cause.message), code, located ?? cause, context);
  }
  context.logger.error({ requestId: context.requestId, err: cause }, 'request.failed');
  const details =
    context.development && cause instanceof Error
      ? { originalError: { message: cause.message, stack: cause.stack } }
      : {};
  return shown('Unexpected error.', 'INTERNAL', located, context, details);
}

/** What clients are told when a part is away. */
export const UNAVAILABLE_MESSAGE = 'A part of the service is out of reach. Try again in a moment.';

/** Whether a part we depend on is away, so that the same request may work in a moment. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof DependencyError || isOutage(error);
}

/** The error that was thrown first: libraries wrap it. */
function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/** The code of an error that graphql or a library made on purpose; null for one that tells of a bug of ours. */
function codeOf(error: GraphQLError): string | null {
  if (typeof error.extensions.code === 'string') return error.extensions.code;
  // Without a path it comes from before execution: the document, or its variables.
  if (error.path !== undefined) return null;
  if (error.message.startsWith('Syntax Error')) return 'GRAPHQL_PARSE_FAILED';
  return error.message.startsWith('Variable "$') ? 'BAD_USER_INPUT' : 'GRAPHQL_VALIDATION_FAILED';
}

/** graphql suggests names it knows, in every stage; strangers are not to learn the schema by guessing. */
function withoutSuggestion(message: string): string {
  return message.replace(/\s*Did you mean[\s\S]*$/, '');
}

function detailsOf(error: UserError): Readonly<Record<string, unknown>> {
  if (error instanceof RateLimitedError) return { retryAfterSeconds: error.retryAfterSeconds };
  if (!(error instanceof FeedError)) return {};
  const { lastTaken } = error;
  if (lastTaken === null) return { resumeAfter: null };
  const { timestamp, sequence } = lastTaken.event;
  return { resumeAfter: encodeEventCursor({ occurredAt: timestamp, sequence }) };
}

function shown(
  message: string,
  code: string,
  located: GraphQLError | undefined,
  context: ErrorContext,
  details: Readonly<Record<string, unknown>> = {},
): GraphQLError {
  const http = STATUSES[code];
  return new GraphQLError(message, {
    ...(located === undefined ? {} : placeOf(located)),
    extensions: {
      code,
      requestId: context.requestId,
      docs: errorDocs(code),
      ...details,
      ...(http === undefined ? {} : { http }),
    },
  });
}

function placeOf({ nodes, source, positions, path }: GraphQLError): GraphQLErrorOptions {
  return { nodes: nodes ?? null, source: source ?? null, positions: positions ?? null, path: path ?? null };
}

/** The error as it goes over a WebSocket: without what is meant for HTTP. */
export function errorJson(error: GraphQLError): GraphQLFormattedError {
  const { message, locations, path } = error;
  const { http: _http, ...extensions } = error.extensions;
  return { message, ...(locations ? { locations } : {}), ...(path ? { path } : {}), extensions };
}
