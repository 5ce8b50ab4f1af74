import { BadArgumentError } from '../errors/bad-argument.ts';
import { PAGE_ITEMS_MAX } from '../live/page.ts';

/** A connection as its field returns it. */
export interface Connection<T> {
  readonly edges: { readonly cursor: string; readonly node: T }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** The arguments of every connection as they arrive. */
export interface PageArguments {
  readonly first: number;
  readonly after?: string | null | undefined;
}

/** The page asked for. @throws BadArgumentError when `first` is out of range: never clamped */
export function pageRequest(args: PageArguments): { readonly first: number; readonly after: string | null } {
  if (args.first < 1 || args.first > PAGE_ITEMS_MAX) {
    throw new BadArgumentError('first', `first must be from 1 to ${PAGE_ITEMS_MAX}.`);
  }
  return { first: args.first, after: args.after ?? null };
}

/** The connection of a page. `endCursor` overrides the last item's, for a list that looked further than its last item. */
export function connectionOf<T>(
  page: { readonly items: readonly T[]; readonly hasMore: boolean },
  request: { readonly after: string | null },
  cursorOf: (item: T) => string,
  endCursor?: string,
): Connection<T> {
  const edges = page.items.map((node) => ({ node, cursor: cursorOf(node) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasMore,
      hasPreviousPage: request.after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: endCursor ?? edges.at(-1)?.cursor ?? null,
    },
  };
}
