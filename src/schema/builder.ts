import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { GraphQLError, getNamedType, isLeafType } from 'graphql';
import type { AppContext } from '../context.ts';
import { type Node, nodeTypename } from '../resolvers/node.ts';

/** What a type or field may demand of the viewer. */
interface Scopes {
  /** The owner of the installation. */
  owner: boolean;
  /** Anybody with a valid key: the owner, and overlays for their own channel. */
  viewer: boolean;
}

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

/** What an owner alone may see, and what every key may. Constant objects: scope-auth remembers their outcome by identity. */
export const OWNER = Object.freeze({ owner: true });
export const VIEWER = Object.freeze({ viewer: true });

/**
 * The schema's builder. Fields are non-null unless said; every type must declare its scopes (`schema/index.ts` refuses to
 * build otherwise); leaves cost nothing, everything else one point and what is below it.
 */
export const builder = new SchemaBuilder<Types>({
  plugins: [ScopeAuthPlugin, RelayPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authScopes: ({ viewer }) => ({ owner: viewer.kind === 'OWNER', viewer: true }),
    authorizeOnSubscribe: true,
    unauthorizedError: () => forbidden(),
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

function forbidden(): GraphQLError {
  return new GraphQLError('This key may not read that.', { extensions: { code: 'FORBIDDEN' } });
}

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description: 'What can be done. One action each; refusals are members of the result.',
});
builder.subscriptionType({
  description: 'What can be watched live, over WebSocket (graphql-transport-ws) or server-sent events.',
});
