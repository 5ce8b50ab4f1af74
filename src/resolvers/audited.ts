import type { GraphQLFieldResolver } from 'graphql';
import { actOf, failureOf, learntOf, outcomeOf } from '../audit/mutation.ts';
import type { AppContext } from '../context.ts';

type Resolver = GraphQLFieldResolver<unknown, AppContext>;

/**
 * A mutation that leaves an entry in the audit log, whatever becomes of it. Stands outside of the scopes, so that what they refuse
 * is seen too. `isPublic`: strangers may do it; of what they may not, their attempts are counted and not written one by one.
 */
export function audited(action: string, resolve: Resolver, isPublic: boolean): Resolver {
  return async (root, args, ctx, info) => {
    const { viewer, requestInfo, requestId, services } = ctx;
    if (viewer.kind === 'ANONYMOUS' && !isPublic) {
      try {
        return await resolve(root, args, ctx, info);
      } catch (error) {
        const { outcome, code } = failureOf(error);
        if (outcome === 'REFUSED' && code !== null) services.audit.countRefusal({ action, code });
        throw error;
      }
    }
    const act = actOf(action, { viewer, input: args.input, requestId });
    const pending = await services.audit.begin({ ...act, address: requestInfo.address });
    try {
      const value: unknown = await resolve(root, args, ctx, info);
      await pending.finish(outcomeOf(value), learntOf(act, value));
      return value;
    } catch (error) {
      await pending.finish(failureOf(error));
      throw error;
    }
  };
}
