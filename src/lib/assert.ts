/**
 * States what the code relies on. A failure is a bug of ours, never of the caller's input.
 * @throws AssertionError with `message`; it is masked before it reaches a client.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a switch over a union: compiles only while every member has its case. */
export function assertNever(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}

/** A broken assumption of our own code. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
