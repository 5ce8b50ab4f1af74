import { type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';

/** What graphql tells a resolver about the document it runs for; the part of it that matters here. */
export interface SelectionInfo {
  readonly fieldNodes: readonly { readonly selectionSet?: SelectionSetNode | undefined }[];
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
}

/**
 * The names of all fields selected anywhere below this one. Rather too many than too few: types and conditions are not
 * looked at. For deciding what need not be read at all.
 */
export function namesBelow(info: SelectionInfo): ReadonlySet<string> {
  const names = new Set<string>();
  const visited = new Set<string>();
  const visit = (set: SelectionSetNode | undefined): void => {
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.FIELD) names.add(selection.name.value);
      if (selection.kind !== Kind.FRAGMENT_SPREAD) visit(selection.selectionSet);
      else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        visit(info.fragments[selection.name.value]?.selectionSet);
      }
    }
  };
  for (const node of info.fieldNodes) visit(node.selectionSet);
  return names;
}
