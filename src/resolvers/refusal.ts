import type { UserError } from '../errors/errors.ts';

/** A kind of refusal that a result lists. */
export type RefusalClass<E extends UserError> = abstract new (...args: never[]) => E;

/** Runs the action; a refusal that the result lists becomes its value, any other error goes on. */
export async function orRefusal<T, E extends UserError>(
  action: () => Promise<T>,
  listed: readonly RefusalClass<E>[],
): Promise<T | E> {
  try {
    return await action();
  } catch (error) {
    const known = listed.find((kind): kind is RefusalClass<E> => error instanceof kind);
    if (known !== undefined && error instanceof known) return error;
    throw error;
  }
}
