import { defaultFieldResolver, type GraphQLSchema } from 'graphql';
import { assert } from '../lib/assert.ts';
import { audited } from '../resolvers/audited.ts';
import { PUBLIC } from './scopes.ts';

/** Puts the audit log around every mutation of the schema, outside of its scopes. Once per schema. */
export function auditMutations(schema: GraphQLSchema): void {
  const mutation = schema.getMutationType();
  assert(mutation !== undefined && mutation !== null, 'the schema has mutations');
  for (const field of Object.values(mutation.getFields())) {
    const options = field.extensions.pothosOptions;
    const isPublic =
      typeof options === 'object' &&
      options !== null &&
      'authScopes' in options &&
      options.authScopes === PUBLIC;
    field.resolve = audited(field.name, field.resolve ?? defaultFieldResolver, isPublic);
    field.extensions = { ...field.extensions, audited: true };
  }
}
