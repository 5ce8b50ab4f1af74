import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  BREAK,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import type { AppContext } from '../context.ts';
import { OPERATION_COST_MAX } from './limits.ts';

/** An operation about to run, by whatever way it came. */
export interface OperationToRun {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  readonly contextValue: AppContext;
}

/** Whether it may run, and what it costs. */
export type Verdict =
  | { readonly kind: 'ALLOWED'; readonly cost: number }
  | { readonly kind: 'REFUSED'; readonly cost: number; readonly error: GraphQLError };

/**
 * Judges an operation with its variables, before anything of it runs. Not at validation, whose outcome is remembered per
 * document: with other variables the same document costs something else, and another key may not look at the schema.
 */
export function judgeOperation(
  operation: OperationToRun,
  options: { readonly introspection: boolean },
): Verdict {
  const { document, contextValue } = operation;
  const mayIntrospect = options.introspection || contextValue.viewer.kind === 'OPERATOR';
  if (!mayIntrospect && introspects(document)) {
    return refused('You may not look at the schema.', 'FORBIDDEN');
  }
  const selected = getOperationAST(document, operation.operationName);
  // Without an operation nothing runs: the executor says which name is missing.
  if (!selected) return { kind: 'ALLOWED', cost: 0 };
  let cost: number;
  try {
    cost = costOf(operation, selected);
  } catch (error) {
    if (error instanceof GraphQLError) return { kind: 'REFUSED', cost: 0, error };
    throw error;
  }
  if (cost > OPERATION_COST_MAX) {
    return refused(
      `The operation costs ${cost} points, of ${OPERATION_COST_MAX} allowed: ask for smaller pages.`,
      'COST_EXCEEDED',
      cost,
    );
  }
  return { kind: 'ALLOWED', cost };
}

/** Costs that are remembered of one operation: whoever asks again mostly does so with the same few variables. */
const COSTS_PER_OPERATION = 16;
/** Longer variables are not kept, in characters. */
const KEPT_VARIABLES_MAX = 500;

/** Enough to tell one. */
const VARIABLE_ERRORS_MAX = 1;

/** By operation, which is parsed once, and its variables: the cost depends on nothing else. */
const costs = new WeakMap<OperationDefinitionNode, Map<string, number>>();

/** @throws GraphQLError when the variables do not fit the operation */
function costOf(operation: OperationToRun, selected: OperationDefinitionNode): number {
  const variables = JSON.stringify(operation.variableValues ?? {});
  if (variables.length > KEPT_VARIABLES_MAX) return computeCost(operation, selected);
  const known = costs.get(selected);
  const remembered = known?.get(variables);
  if (remembered !== undefined) return remembered;
  const cost = computeCost(operation, selected);
  if (known === undefined) costs.set(selected, new Map([[variables, cost]]));
  else remember(known, variables, cost);
  return cost;
}

function remember(known: Map<string, number>, variables: string, cost: number): void {
  if (known.size >= COSTS_PER_OPERATION) known.clear();
  known.set(variables, cost);
}

/** @throws GraphQLError when the variables do not fit the operation */
function computeCost(operation: OperationToRun, selected: OperationDefinitionNode): number {
  requireFit(operation, selected);
  // The plugin takes the first operation of a document; ours is the selected one.
  const fragments = operation.document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: [selected, ...fragments] };
  const { complexity } = complexityFromQuery(document, {
    schema: operation.schema,
    variables: { ...operation.variableValues },
    ctx: operation.contextValue,
  });
  return complexity;
}

/**
 * The plugin reads the variables to their end and makes an error of each value that does not fit, with its suggestions: a body full of them
 * held the process up for more than a second. This stops at the first few.
 * @throws GraphQLError when the variables do not fit the operation
 */
function requireFit(
  { schema, variableValues }: OperationToRun,
  { variableDefinitions = [] }: OperationDefinitionNode,
): void {
  const { errors } = getVariableValues(schema, variableDefinitions, variableValues ?? {}, {
    maxErrors: VARIABLE_ERRORS_MAX,
  });
  if (errors?.[0] !== undefined) throw errors[0];
}

const introspecting = new WeakMap<DocumentNode, boolean>();

/** Whether the document asks for the schema, anywhere. Documents are parsed once, so the answer is kept with them. */
export function introspects(document: DocumentNode): boolean {
  const known = introspecting.get(document);
  if (known !== undefined) return known;
  let found = false;
  visit(document, {
    Field: ({ name }) => {
      if (name.value !== '__schema' && name.value !== '__type') return undefined;
      found = true;
      return BREAK;
    },
  });
  introspecting.set(document, found);
  return found;
}

function refused(message: string, code: string, cost = 0): Verdict {
  return { kind: 'REFUSED', cost, error: new GraphQLError(message, { extensions: { code } }) };
}
