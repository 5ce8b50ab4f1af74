import type { AppContext } from '../context.ts';
import type { ChannelId } from '../lib/ids.ts';
import { mayReadPersonal } from '../resolvers/redaction.ts';

/** Where a row of the schema says which channel it is of. */
type RowOfChannel = { readonly channelId: ChannelId } | { readonly event: { readonly channelId: ChannelId } };

type Resolve<Parent, Value> = (parent: Parent, args: object, context: AppContext) => Value;

/**
 * What makes a field personal: who lacks the permission in the row's channel gets `instead` (an alias, null, nothing), in
 * queries and in every delivery of a subscription alike. Nothing is read for staff before it is noted that they look. The permission also stands in the field's extensions, for programs.
 */
export function redacted<Parent extends RowOfChannel, Shown, Instead>(
  permission: 'PII_READ' | 'PII_SCREEN',
  shown: Resolve<Parent, Shown>,
  instead: Resolve<Parent, Instead>,
): {
  readonly extensions: { readonly personal: string };
  readonly resolve: Resolve<Parent, Shown | Instead | Promise<Shown>>;
} {
  return {
    extensions: { personal: permission },
    resolve: (parent, args, context) => {
      const may = mayReadPersonal(context, channelOf(parent), permission);
      if (may === false) return instead(parent, args, context);
      return may === true ? shown(parent, args, context) : may.then(() => shown(parent, args, context));
    },
  };
}

/** Shows null in place of what is personal. */
export const asNull = (): null => null;

function channelOf(row: RowOfChannel): ChannelId {
  return 'channelId' in row ? row.channelId : row.event.channelId;
}
