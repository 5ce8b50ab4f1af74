import { type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import {
  createYoga,
  isAsyncIterable,
  mapAsyncIterator,
  type Plugin,
  type YogaServerInstance,
} from 'graphql-yoga';
import type { Viewer } from '../auth/viewer.ts';
import type { AppContext, Cookies, RequestInfo, Services } from '../context.ts';
import { documentLimits } from './armor.ts';
import { type ErrorContext, formatError } from './error-format.ts';
import { BODY_BYTES_MAX, OPERATION_COST_MAX } from './limits.ts';
import { createLoaders } from './loaders.ts';
import { judgeOperation, type OperationToRun } from './operation-guard.ts';
import { readParameters } from './request-body.ts';

/** Where GraphQL is served: POST, server-sent events and WebSocket alike. */
export const GRAPHQL_PATH = '/graphql';

/** What is known of a request before GraphQL begins. */
export interface Caller {
  readonly viewer: Viewer;
  readonly request: RequestInfo;
  /** Null by WebSocket. */
  readonly cookies: Cookies | null;
  readonly requestId: string;
  readonly connectionId: string;
  /** Calls `leave` once nobody can be answered any more, perhaps at once. By WebSocket the protocol sees to that. */
  readonly whenGone?: (leave: () => void) => void;
}

export type GraphqlServer = YogaServerInstance<Caller, AppContext>;

export interface GraphqlOptions {
  readonly schema: GraphQLSchema;
  /** Shows stacks, and the schema to everybody with a key. */
  readonly development: boolean;
}

/** The GraphQL part of the server, for HTTP; `getEnveloped` gives the same rules to WebSocket. */
export function createGraphqlServer(services: Services, options: GraphqlOptions): GraphqlServer {
  return createYoga<Caller, AppContext>({
    schema: options.schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: ({ viewer, request, cookies, requestId, connectionId }): AppContext => ({
      viewer,
      request,
      cookies,
      requestId,
      connectionId,
      services,
      loaders: createLoaders(services),
    }),
    // One formatter for all stages and transports. @see error-format.ts
    maskedErrors: false,
    logging: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: BODY_BYTES_MAX,
    plugins: [...documentLimits(), readsJsonOnly(), judges(options), formatsErrors(services, options)],
  });
}

function readsJsonOnly(): Plugin {
  return {
    onRequestParse({ setRequestParser }) {
      setRequestParser(readParameters);
    },
  };
}

/** Holds the cost limit and the right to look at the schema, for every operation of every transport. */
function judges(options: GraphqlOptions): Plugin<AppContext> {
  const judge = (args: OperationToRun) => judgeOperation(args, options);
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const verdict = judge(args);
      if (verdict.kind === 'REFUSED') return setResultAndStopExecution({ errors: [verdict.error] });
      return {
        onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result)) return;
          const cost = { requested: verdict.cost, limit: OPERATION_COST_MAX };
          setResult({ ...result, extensions: { ...result.extensions, cost } });
        },
      };
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const verdict = judge(args);
      if (verdict.kind === 'REFUSED') setResultAndStopExecution({ errors: [verdict.error] });
    },
  };
}

/** Formats every error that leaves by HTTP, whether in one answer or in a stream of them. */
function formatsErrors(services: Services, options: GraphqlOptions): Plugin<AppContext, Caller> {
  return {
    onResultProcess({ result, setResult, resultProcessor, serverContext }) {
      const context: ErrorContext = {
        requestId: serverContext.requestId,
        development: options.development,
        logger: services.logger,
      };
      if (isAsyncIterable(result) && resultProcessor === undefined) {
        // Whoever subscribed takes no event stream and is answered 406: nobody will ever read, or leave.
        return result[Symbol.asyncIterator]()
          .return?.()
          .then(() => undefined);
      }
      if (isAsyncIterable(result)) {
        // A client that left before the answer began is noticed by nobody else. Ending twice is ending once.
        const iterator = result[Symbol.asyncIterator]();
        serverContext.whenGone?.(() => void iterator.return?.());
        setResult(mapAsyncIterator(result, (item) => formatResult(item, context)));
      } else if (!Array.isArray(result)) {
        setResult(formatResult(result, context));
      }
    },
  };
}

/** The result with its errors as clients may see them. */
export function formatResult<R extends ExecutionResult>(result: R, context: ErrorContext): R {
  if (result.errors === undefined) return result;
  return { ...result, errors: result.errors.map((error: unknown) => formatError(error, context)) };
}

/** An error that is the whole answer. */
export function graphqlError(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}
