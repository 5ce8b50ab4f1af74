import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** Something deprecated that a document asks for. */
export interface DeprecatedUse {
  /** As in `Type.field`, `Type.field(argument:)`, `Input.field` or `Enum.VALUE`. */
  readonly coordinate: string;
  /** What takes its place, and when it goes. */
  readonly reason: string;
}

/** What the document asks for that is deprecated, each once. */
export function deprecatedUses(schema: GraphQLSchema, document: DocumentNode): readonly DeprecatedUse[] {
  const uses = new Map<string, DeprecatedUse>();
  const note = (coordinate: string, reason: string | null | undefined) => {
    if (reason != null) uses.set(coordinate, { coordinate, reason });
  };
  const info = new TypeInfo(schema);
  const visitor = {
    Field: () => {
      const field = info.getFieldDef();
      const parent = info.getParentType();
      if (field && parent) note(`${parent.name}.${field.name}`, field.deprecationReason);
    },
    Argument: () => {
      const argument = info.getArgument();
      const field = info.getFieldDef();
      const parent = info.getParentType();
      if (argument && field && parent)
        note(`${parent.name}.${field.name}(${argument.name}:)`, argument.deprecationReason);
    },
    ObjectField: ({ name }: { readonly name: { readonly value: string } }) => {
      const input = getNamedType(info.getParentInputType());
      if (isInputObjectType(input))
        note(`${input.name}.${name.value}`, input.getFields()[name.value]?.deprecationReason);
    },
    EnumValue: () => {
      const value = info.getEnumValue();
      const type = getNamedType(info.getInputType());
      if (value && type) note(`${type.name}.${value.name}`, value.deprecationReason);
    },
  };
  visit(document, visitWithTypeInfo(info, visitor));
  return [...uses.values()];
}
