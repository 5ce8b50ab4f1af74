import type { UserError } from '../errors/errors.ts';

/** A refusal as a member of a result: graphql throws any Error that a resolver returns, so it travels in an object. */
export type Refused<E extends UserError = UserError> = E extends UserError ? { readonly error: E } : never;

/** A kind of refusal that a result lists. */
export type RefusalClass<E extends UserError> = abstract new (...args: never[]) => E;

/** Runs the action; a refusal that the result lists becomes its value, any other error goes on. */
export async function orRefusal<T, E extends UserError>(
  action: () => Promise<T>,
  listed: readonly RefusalClass<E>[],
): Promise<T | Refused<E>> {
  try {
    return await action();
  } catch (error) {
    // The condition in the type only spreads it over unions: for every E it is this object.
    for (const kind of listed) if (error instanceof kind) return { error } as Refused<E>;
    throw error;
  }
}

/** The type of a result's member: a refusal's is named as its class, anything else is the payload. */
export function memberTypename(value: object, payload: string): string {
  return 'error' in value && value.error instanceof Error ? value.error.name : payload;
}
