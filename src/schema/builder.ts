import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin, { type AuthFailure } from '@pothos/plugin-scope-auth';
import { GraphQLError, getNamedType, isLeafType } from 'graphql';
import { mayOnPlatform } from '../auth/permissions.ts';
import { hasStanding } from '../auth/standing.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { AppContext } from '../context.ts';
import { type Node, nodeTypename } from '../resolvers/node.ts';
import { rememberScopes } from './scope-memory.ts';
import { type Scopes, VIEWER } from './scopes.ts';

interface Types {
  Context: AppContext;
  AuthScopes: Scopes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    /** Milliseconds since the Unix epoch inside. */
    DateTime: { Input: number; Output: number };
    Coins: { Input: number; Output: number };
    Count: { Input: number; Output: number };
  };
}

rememberScopes();

/**
 * The schema's builder. Fields are non-null unless said; every type must declare its scopes (`schema/index.ts` refuses to
 * build otherwise); leaves cost nothing, everything else one point and what is below it.
 */
export const builder = new SchemaBuilder<Types>({
  plugins: [ScopeAuthPlugin, RelayPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authScopes: scopesOf,
    authorizeOnSubscribe: true,
    unauthorizedError: (_parent, { viewer }, _info, { failure }) => refusalOf(viewer, failure),
  },
  complexity: {
    // The cost is computed once per operation, with its variables, before anything runs. @see server/operation-cost.ts
    disabled: true,
    fieldComplexity: (_args, _context, field) => (isLeafType(getNamedType(field.type)) ? 0 : 1),
  },
  relay: {
    cursorType: 'String',
    nodeTypeOptions: {
      description: 'Anything with an id that can be looked up again by it.',
      authScopes: VIEWER,
      resolveType: (node) => nodeTypename(node as Node), // only what Query.node loads is seen as a Node
    },
    pageInfoTypeOptions: {
      description:
        'Where a page of a connection stands. Pages go forward: ask for what comes `after` the `endCursor`.',
      authScopes: VIEWER,
    },
    pageInfoFieldOptions: { description: 'Where the page stands.' },
    hasNextPageFieldOptions: { description: 'Whether more items follow this page.' },
    hasPreviousPageFieldOptions: {
      description: 'Whether this page was asked for with a cursor, so that items came before.',
    },
    startCursorFieldOptions: { description: "The first item's cursor. Null on an empty page." },
    endCursorFieldOptions: {
      description: 'Pass it as `after` for the next page. Null when there was nothing to look at.',
    },
    cursorFieldOptions: { description: 'Where this item stands in its list. Opaque; names nobody.' },
    nodeFieldOptions: { description: 'The item.', nullable: false, complexity: { field: 0 } },
    edgesFieldOptions: {
      description: 'The items of this page, in order.',
      nullable: { list: false, items: false },
      // One point an item: `first` is multiplied in by the connection's own field.
      complexity: { field: 1, multiplier: 1 },
    },
    idFieldOptions: { description: 'Opaque, prefixed by its kind, the same for ever.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
});

/** What the asker has of each scope. Asked one by one: a view that several share answers only what was declared. */
function scopesOf({ reader, services }: AppContext) {
  return {
    get anybody() {
      return hasStanding(reader, 'anybody');
    },
    get signedIn() {
      return hasStanding(reader, 'signedIn');
    },
    get user() {
      return hasStanding(reader, 'user');
    },
    get viewer() {
      return hasStanding(reader, 'viewer');
    },
    get reader() {
      return hasStanding(reader, 'reader');
    },
    get operator() {
      return hasStanding(reader, 'operator');
    },
    platform: (permission: Scopes['platform']) => mayOnPlatform(reader, permission),
    // Only people can show a factor; a key is as fresh as it gets.
    fresh: () => {
      if (reader.kind === 'VIEW') return reader.needsPerson();
      return reader.kind !== 'USER' || (reader.freshUntilMs ?? 0) > services.clock.nowMs();
    },
  };
}

/** Why it was refused, in the order in which the asker can do something about it. */
function refusalOf(viewer: Viewer, failure: AuthFailure): GraphQLError {
  if (viewer.kind === 'ANONYMOUS') return refusal('UNAUTHENTICATED', 'Sign in, or send a valid key.');
  const failed = failedScopes(failure);
  if (failed.length > 0 && failed.every((scope) => scope === 'fresh'))
    return refusal(
      'STEP_UP_REQUIRED',
      'Show a factor again: this needs one shown within the last 5 minutes.',
    );
  if (viewer.kind === 'USER' && viewer.mfa === 'MISSING')
    return refusal('MFA_REQUIRED', 'Show your second factor first, or set one up.');
  return refusal('FORBIDDEN', 'You may not do or read that.');
}

function failedScopes(failure: AuthFailure): readonly string[] {
  if ('failures' in failure) return failure.failures.flatMap(failedScopes);
  return 'scope' in failure ? [failure.scope] : ['function'];
}

function refusal(code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description: 'What can be done. One action each; refusals are members of the result.',
});
builder.subscriptionType({
  description: 'What can be watched live, over WebSocket (graphql-transport-ws) or server-sent events.',
});
