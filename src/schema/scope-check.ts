import { type GraphQLSchema, isInterfaceType, isObjectType } from 'graphql';

/** The fields (`Type.field`) for which neither the field nor a type it stands in declares who may read it. */
export function fieldsWithoutScope(schema: GraphQLSchema): readonly string[] {
  const undecided: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || (!isObjectType(type) && !isInterfaceType(type))) continue;
    const decided = [type, ...type.getInterfaces()].some((owner) => hasScopes(owner.extensions));
    if (decided) continue;
    for (const field of Object.values(type.getFields())) {
      if (!hasScopes(field.extensions)) undecided.push(`${type.name}.${field.name}`);
    }
  }
  return undecided;
}

/** Pothos keeps the options a type or field was declared with. */
function hasScopes(extensions: Readonly<Record<string, unknown>>): boolean {
  const options = extensions.pothosOptions;
  if (typeof options !== 'object' || options === null || !('authScopes' in options)) return false;
  const scopes = options.authScopes;
  if (typeof scopes === 'function') return 'requires' in scopes;
  return typeof scopes === 'object' && scopes !== null && Object.keys(scopes).length > 0;
}
