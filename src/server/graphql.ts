import { type ExecutionArgs, type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import {
  createYoga,
  isAsyncIterable,
  mapAsyncIterator,
  type Plugin,
  type YogaServerInstance,
} from 'graphql-yoga';
import type { Viewer } from '../auth/viewer.ts';
import type { AppContext, Cookies, RequestInfo, Services } from '../context.ts';
import { UserError } from '../errors/errors.ts';
import type { Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { LeasedBuckets } from '../limits/leases.ts';
import { documentLimits } from './armor.ts';
import { type CostRules, chargeOperation, costHeaders, payerOf } from './cost-bucket.ts';
import { withDeadline } from './deadline.ts';
import { reportsDeprecations } from './deprecation-report.ts';
import { chooseDocument, type FreeForm } from './document-choice.ts';
import { type ErrorContext, formatError } from './error-format.ts';
import { BODY_BYTES_MAX, REFUSED_DOCUMENT_COST } from './limits.ts';
import { createLoaders } from './loaders.ts';
import { judgeOperation, type OperationToRun } from './operation-guard.ts';
import type { Pledge } from './pledge.ts';
import { type RequestParameters, readParameters } from './request-body.ts';

/** Where GraphQL is served: POST, server-sent events and WebSocket alike. */
export const GRAPHQL_PATH = '/graphql';

/** What is known of a request before GraphQL begins. */
export interface Caller {
  readonly viewer: Viewer;
  readonly info: RequestInfo;
  /** Null by WebSocket. */
  readonly cookies: Cookies | null;
  readonly requestId: string;
  readonly connectionId: string;
  /** Pays for a document that cannot run. */
  readonly pledge: Pledge;
  /** Calls `leave` once nobody can be answered any more, perhaps at once. By WebSocket the protocol sees to that. */
  readonly whenGone?: (leave: () => void) => void;
  /** Sets a header of the answer, as long as it has not begun. By WebSocket there is none. */
  readonly setHeader?: (name: string, value: string) => void;
}

export type GraphqlServer = YogaServerInstance<Caller, AppContext>;

export interface GraphqlOptions {
  readonly schema: GraphQLSchema;
  /** Shows stacks. */
  readonly development: boolean;
  /** Shows the schema to everybody. */
  readonly introspection: boolean;
  /** Answers queries by GET as well. */
  readonly get: boolean;
  readonly costRules: CostRules;
  readonly deposits: Deposits;
  /** How long an operation may run, in milliseconds. */
  readonly deadlineMs: number;
  /** Who may write documents of their own. */
  readonly freeForm: FreeForm;
}

/** The GraphQL part of the server, for HTTP; `getEnveloped` gives the same rules to WebSocket. */
export function createGraphqlServer(services: Services, options: GraphqlOptions): GraphqlServer {
  return createYoga<Caller, AppContext>({
    schema: options.schema,
    graphqlEndpoint: GRAPHQL_PATH,
    context: ({ viewer, info, cookies, requestId, connectionId }): AppContext => ({
      viewer,
      reader: viewer,
      requestInfo: info,
      cookies,
      spent: new Set(),
      staffReads: new Map(),
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
    extraParamNames: ['documentId'],
    plugins: [
      choosesDocuments(services, options),
      reportsDeprecations(services.clientUsage),
      ...documentLimits(),
      readsJsonOnly(options),
      judges(services, options),
      formatsErrors(services, options),
    ],
  });
}

function readsJsonOnly({ get }: GraphqlOptions): Plugin {
  return {
    onRequestParse({ setRequestParser }) {
      setRequestParser((request) => readParameters(request, { get }));
    },
  };
}

/** Puts a registered operation's document in place of its id, and refuses documents from who may not write any. */
function choosesDocuments(services: Services, options: GraphqlOptions): Plugin<AppContext, Caller> {
  return {
    async onParams({ params, setParams, context }) {
      // The body's reader made them, and the context is what the router handed over.
      const { documentId, ...rest } = params as RequestParameters;
      const { viewer, pledge, setHeader } = context as unknown as Caller;
      try {
        pledge.give();
      } catch (error) {
        if (!(error instanceof RateLimitedError)) throw error;
        setHeader?.('retry-after', String(error.retryAfterSeconds));
        throw asGraphqlError(error);
      }
      const query = await chooseDocument(services, options, { viewer, ...rest, documentId });
      setParams({ ...rest, query });
    },
  };
}

/** Holds cost, buckets, time and the right to look at the schema, for every operation of every transport. */
function judges(services: Services, options: GraphqlOptions): Plugin<AppContext & Partial<Caller>> {
  const deps = { limiter: new LeasedBuckets(services), deposits: options.deposits, rules: options.costRules };
  /** What refuses the operation, if anything does, and what its answer says about its cost. */
  const judge = async (args: OperationToRun & { readonly contextValue: AppContext & Partial<Caller> }) => {
    const { viewer, requestInfo, setHeader, pledge } = args.contextValue;
    const verdict = judgeOperation(args, options);
    const asker = { viewer, address: requestInfo.address };
    // The refused are charged as well: they were read, checked and counted. Who can never have so much loses all.
    const refusedCost = Math.min(REFUSED_DOCUMENT_COST, payerOf(asker, deps.rules).rule.capacity);
    const cost = verdict.kind === 'REFUSED' ? refusedCost : verdict.cost;
    pledge?.void();
    const charge = await chargeOperation(deps, asker, cost);
    for (const [name, value] of costHeaders(charge)) setHeader?.(name, value);
    const error = charge.refusal ?? (verdict.kind === 'REFUSED' ? verdict.error : null);
    const requested = verdict.kind === 'REFUSED' ? verdict.cost : cost;
    return { error, extensions: { cost: { ...charge.report, requested } } };
  };
  const { deadlineMs } = options;
  return {
    async onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
      const { error, extensions } = await judge(args);
      if (error !== null) return setResultAndStopExecution({ errors: [asGraphqlError(error)], extensions });
      const { whenGone } = args.contextValue;
      setExecuteFn((given) =>
        // The executor begins no further resolver once the signal is given.
        withDeadline((signal) => executeFn({ ...given, signal } as ExecutionArgs), {
          deadlineMs,
          whenGone,
        }).catch(asResult),
      );
      return {
        onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result)) return;
          setResult({ ...result, extensions: { ...result.extensions, ...extensions } });
        },
      };
    },
    async onSubscribe({ args, subscribeFn, setSubscribeFn, setResultAndStopExecution }) {
      const { error, extensions } = await judge(args);
      if (error !== null) return setResultAndStopExecution({ errors: [asGraphqlError(error)], extensions });
      const discard = (late: unknown) => {
        if (isAsyncIterable(late)) void late[Symbol.asyncIterator]().return?.();
      };
      setSubscribeFn((given) =>
        withDeadline(() => subscribeFn(given), { deadlineMs, discard }).catch(asResult),
      );
    },
  };
}

/** What stopped an operation, as its result. Anything else is a bug, and goes on its way. */
function asResult(error: unknown): ExecutionResult {
  if (error instanceof UserError) return { errors: [asGraphqlError(error)] };
  throw error;
}

function asGraphqlError(error: Error): GraphQLError {
  return error instanceof GraphQLError ? error : new GraphQLError(error.message, { originalError: error });
}

/** Formats every error that leaves by HTTP, whether in one answer or in a stream of them. */
function formatsErrors(services: Services, options: GraphqlOptions): Plugin<AppContext, Caller> {
  return {
    async onResultProcess({ result, setResult, resultProcessor, serverContext }) {
      const context: ErrorContext = {
        requestId: serverContext.requestId,
        development: options.development,
        logger: services.logger,
      };
      if (isAsyncIterable(result) && resultProcessor === undefined) {
        // Whoever subscribed takes no event stream and is answered 406: nobody will ever read, or leave.
        await result[Symbol.asyncIterator]().return?.();
        return;
      }
      if (isAsyncIterable(result)) {
        // A client that left before the answer began is noticed by nobody else. Ending twice is ending once.
        const iterator = result[Symbol.asyncIterator]();
        serverContext.whenGone?.(() => void iterator.return?.());
        setResult(mapAsyncIterator(result, (item) => formatResult(item, context)));
      } else if (!Array.isArray(result)) {
        // What was paid for as an operation is not paid for again.
        if (result.errors !== undefined) await serverContext.pledge.redeem();
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
