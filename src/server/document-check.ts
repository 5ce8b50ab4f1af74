import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { envelop } from 'graphql-yoga';
import type { CheckDocument } from '../clients/operation.ts';
import { documentLimits } from './armor.ts';
import { DOCUMENT_PROBLEMS_MAX } from './limits.ts';
import { introspects } from './operation-guard.ts';

/**
 * Holds documents against the schema and the limits that a document sent in a request is held to; what it costs depends on
 * the variables, and is judged each time it runs.
 */
export function createDocumentCheck(schema: GraphQLSchema): CheckDocument {
  const engine = {
    onParse: ({ setParseFn }: { setParseFn: (fn: typeof parse) => void }) => setParseFn(parse),
    onValidate: ({ setValidationFn }: { setValidationFn: (fn: typeof validate) => void }) =>
      setValidationFn((inSchema, document, rules) =>
        validate(inSchema, document, [...specifiedRules, ...(rules ?? [])]),
      ),
  };
  const enveloped = envelop({ plugins: [engine as never, ...(documentLimits() as never[])] });
  return (text) => {
    // The grammar lets it into comments, and no text in the database may hold it.
    if (text.includes('\0')) return bad(['The document has a NUL character.']);
    const { parse: parseText, validate: validateDocument } = enveloped({});
    try {
      const document: DocumentNode = parseText(text);
      const problems = validateDocument(schema, document) as readonly GraphQLError[];
      if (problems.length > 0)
        return bad(problems.slice(0, DOCUMENT_PROBLEMS_MAX).map(({ message }) => message));
      if (introspects(document)) return bad(['The document looks at the schema.']);
      const operations = document.definitions.filter(
        (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
      );
      const [operation] = operations;
      if (operations.length !== 1 || operation?.name === undefined) {
        return bad(['A document has one operation, and the operation has a name.']);
      }
      return { kind: 'GOOD', name: operation.name.value };
    } catch (error) {
      // The parser and its limits throw these; anything else is a bug.
      if (error instanceof GraphQLError) return bad([error.message]);
      throw error;
    }
  };
}

function bad(problems: readonly string[]): { readonly kind: 'BAD'; readonly problems: readonly string[] } {
  return { kind: 'BAD', problems };
}
