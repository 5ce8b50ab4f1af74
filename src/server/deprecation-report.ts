import type { DocumentNode, ExecutionResult, GraphQLSchema } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { type DeprecatedUse, deprecatedUses } from '../clients/deprecations.ts';
import type { ClientUsage } from '../clients/usage.ts';
import type { AppContext } from '../context.ts';

/**
 * Tells whoever asked for something deprecated so, in `extensions.deprecations` (of a subscription: with its first event), and
 * counts it per client.
 */
export function reportsDeprecations(usage: Pick<ClientUsage, 'countDeprecation'>): Plugin<AppContext> {
  // Documents are parsed once, so what they use is kept with them.
  const known = new WeakMap<DocumentNode, readonly DeprecatedUse[]>();
  const usesOf = (args: {
    readonly schema: GraphQLSchema;
    readonly document: DocumentNode;
    readonly contextValue: AppContext;
  }) => {
    const uses = known.get(args.document) ?? deprecatedUses(args.schema, args.document);
    known.set(args.document, uses);
    const { viewer } = args.contextValue;
    if (viewer.kind === 'CLIENT')
      for (const { coordinate } of uses) usage.countDeprecation(viewer.clientId, coordinate);
    return uses;
  };
  return {
    onExecute({ args }) {
      const uses = usesOf(args);
      if (uses.length === 0) return undefined;
      return {
        onExecuteDone({ result, setResult }) {
          if (!isAsyncIterable(result)) setResult(withReport(result, uses));
        },
      };
    },
    onSubscribe({ args }) {
      const uses = usesOf(args);
      if (uses.length === 0) return undefined;
      let told = false;
      return {
        onSubscribeResult: () => ({
          onNext({ result, setResult }) {
            if (told || isAsyncIterable(result)) return;
            told = true;
            setResult(withReport(result, uses));
          },
        }),
      };
    },
  };
}

function withReport(result: ExecutionResult, uses: readonly DeprecatedUse[]): ExecutionResult {
  return { ...result, extensions: { ...result.extensions, deprecations: uses } };
}
