import SchemaBuilder, { type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { PothosScopeAuthPlugin } from '@pothos/plugin-scope-auth';
import type { GraphQLFieldResolver } from 'graphql';

type Resolver = GraphQLFieldResolver<unknown, object, object>;

/**
 * scope-auth, asked once per operation about each field whose scopes are the same for every row: a page of events has
 * hundreds of fields, and for all but the first row the answer is known. Only what was let through is remembered, for as
 * long as the operation's context lives, which is what scope-auth itself does with the outcome of a scope. Fields of a row's
 * own scope, and those of the root types, are asked about each time.
 */
class RememberingScopeAuth<Types extends SchemaTypes> extends PothosScopeAuthPlugin<Types> {
  override wrapResolve(resolver: Resolver, field: PothosOutputFieldConfig<Types>): Resolver {
    if (!this.#isConstant(field)) return super.wrapResolve(resolver, field);
    const passed = new WeakSet<object>();
    const remembering: Resolver = (parent, args, context, info) => {
      passed.add(context);
      return resolver(parent, args, context, info);
    };
    const asking = super.wrapResolve(remembering, field);
    // Nothing is asked of it at all.
    if (asking === remembering) return resolver;
    return (parent, args, context, info) =>
      (passed.has(context) ? resolver : asking)(parent, args, context, info);
  }

  /** Whether neither the field nor a type it stands in looks at the row. */
  #isConstant({ kind, parentType, pothosOptions }: PothosOutputFieldConfig<Types>): boolean {
    if (kind !== 'Object' && kind !== 'Interface') return false;
    const type = this.buildCache.getTypeConfig(parentType);
    if (type.kind !== 'Object' && type.kind !== 'Interface') return false;
    const owners: object[] = [pothosOptions, type.pothosOptions];
    for (const each of type.interfaces) owners.push(this.buildCache.getTypeConfig(each).pothosOptions);
    return owners.every(isConstant);
  }
}

/** Scopes that are granted, or computed by a function, may differ from row to row. */
function isConstant(options: object): boolean {
  const grants = 'grantScopes' in options && options.grantScopes !== undefined;
  return !grants && !('authScopes' in options && typeof options.authScopes === 'function');
}

/** Puts it in the place of the plugin that the library registered under the same name. */
export function rememberScopes(): void {
  SchemaBuilder.allowPluginReRegistration = true;
  SchemaBuilder.registerPlugin('scopeAuth', RememberingScopeAuth);
  SchemaBuilder.allowPluginReRegistration = false;
}
