import { PAGE_ITEMS_MAX } from '../live/page.ts';
import { queryNode, queryNodes } from '../resolvers/node.ts';
import { builder } from './builder.ts';
import { READER } from './scopes.ts';

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    authScopes: READER,
    args: { id: t.arg.id({ required: true, description: 'The id of anything that has one.' }) },
    description: 'Anything by its id. Null when there is none.',
    resolve: queryNode,
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    authScopes: READER,
    args: {
      ids: t.arg.idList({ required: true, description: `Ids, ${PAGE_ITEMS_MAX} at most. More is an error.` }),
    },
    complexity: ({ ids }) => ({ field: 1, multiplier: Math.min(ids.length, PAGE_ITEMS_MAX) }),
    description:
      'Several things by their ids, in the order asked for. Null for an id that there is nothing for.',
    resolve: queryNodes,
  }),
}));
