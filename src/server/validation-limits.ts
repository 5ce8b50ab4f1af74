import { type DocumentNode, GraphQLError, visit } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { DOCUMENT_PROBLEMS_MAX, DOCUMENT_REPEATS_MAX } from './limits.ts';

/**
 * Limits what validation itself may cost. Documents that select the same name too often are refused before it: whether fields of one name
 * can be merged is looked at pair by pair, through fragments, so 240 of them in one small document took 40 ms. Of other
 * mistakes it stops after some.
 */
export function limitsValidation(): Plugin {
  // Documents are parsed once, and this is asked of each request.
  const known = new WeakMap<DocumentNode, GraphQLError | null>();
  return {
    onValidate({ params, setResult, validateFn, setValidationFn }) {
      // Everything that is wrong costs time, suggestions for it too.
      setValidationFn((schema, document, rules) =>
        validateFn(schema, document, rules, { maxErrors: DOCUMENT_PROBLEMS_MAX }),
      );
      const document = params.documentAST as DocumentNode; // the parser made it
      const seen = known.get(document);
      const error = seen === undefined ? findRepeats(document) : seen;
      if (seen === undefined) known.set(document, error);
      if (error !== null) setResult([error]);
    },
  };
}

/** What is wrong with a document that repeats itself; null when it does not. */
function findRepeats(document: DocumentNode): GraphQLError | null {
  const counts = new Map<string, number>();
  visit(document, {
    Field: ({ alias, name }) => {
      const key = (alias ?? name).value;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
  });
  for (const [name, count] of counts) {
    if (count <= DOCUMENT_REPEATS_MAX) continue;
    const sentence = `The document selects ${name} ${count} times, of ${DOCUMENT_REPEATS_MAX} allowed.`;
    return new GraphQLError(sentence, { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
  }
  return null;
}
