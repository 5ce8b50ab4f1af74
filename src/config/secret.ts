import { inspect } from 'node:util';

/** What a secret looks like wherever it is printed. */
export const SECRET_MASK = '[secret]';

/**
 * Text that must not be printed. Template strings, `JSON.stringify`, `console.log` and the logger all show `[secret]`;
 * only `reveal()` gives the text, so every place that needs it can be found by that name.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Hand it straight to what needs it; never store or log it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SECRET_MASK;
  }

  toJSON(): string {
    return SECRET_MASK;
  }

  [Symbol.toPrimitive](): string {
    return SECRET_MASK;
  }

  [inspect.custom](): string {
    return SECRET_MASK;
  }
}
