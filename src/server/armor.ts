import { EnvelopArmor } from '@escape.tech/graphql-armor';
import type { Plugin } from 'graphql-yoga';
import {
  DOCUMENT_ALIASES_MAX,
  DOCUMENT_DEPTH_MAX,
  DOCUMENT_DIRECTIVES_MAX,
  DOCUMENT_TOKENS_MAX,
} from './limits.ts';
import { limitsValidation } from './validation-limits.ts';

/**
 * Reports what a rule found as a validation error. By default the rules throw out of `validate`, for which graphql-ws
 * would close the whole socket; then one bad document would end every other subscription on it.
 */
const asValidationError = {
  propagateOnRejection: false,
  onReject: [reportRejection],
};

function reportRejection(context: { reportError(error: unknown): void } | null, error: Error): void {
  if (context === null) throw error;
  context.reportError(error);
}

/**
 * Limits on documents, held before anything runs. Cost is not among them: this library counts only literal arguments.
 * @see operation-guard.ts
 */
export function documentLimits(): Plugin[] {
  const { plugins } = new EnvelopArmor({
    maxTokens: { n: DOCUMENT_TOKENS_MAX, exposeLimits: true },
    maxDepth: { n: DOCUMENT_DEPTH_MAX, flattenFragments: true, ...asValidationError },
    maxAliases: { n: DOCUMENT_ALIASES_MAX, allowList: [], ...asValidationError },
    maxDirectives: { n: DOCUMENT_DIRECTIVES_MAX, ...asValidationError },
    costLimit: { enabled: false },
    // It leaks suggestions for enum values and variables: ours removes them all. @see error-format.ts
    blockFieldSuggestion: { enabled: false },
  }).protect();
  // Envelop plugins all: none of them looks at the context, which is all that the types differ in.
  return [limitsValidation(), ...(plugins as unknown as Plugin[])];
}
