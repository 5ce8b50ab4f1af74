import { PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX } from '../live/page.ts';
import { builder } from './builder.ts';

/** The arguments of every connection; a field with more spreads these into its own. */
export const pageArguments = builder.args((t) => ({
  first: t.int({
    required: true,
    defaultValue: PAGE_ITEMS_DEFAULT,
    description: `How many items, 1 to ${PAGE_ITEMS_MAX}. Anything else is an error.`,
  }),
  after: t.string({ description: 'Only what follows this cursor. Null or absent: from the beginning.' }),
}));

/** A connection costs a point, and what is selected below it once per item asked for. */
export function connectionCost(args: { readonly first: number }): { field: number; multiplier: number } {
  // Out of range is refused by the resolver with a clear sentence; here it only must not make anything cheap.
  return { field: 1, multiplier: Math.min(PAGE_ITEMS_MAX, Math.max(1, args.first)) };
}
