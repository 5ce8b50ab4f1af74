import { boundedLetter } from '../dead-letter-text.ts';
import { DEAD_LETTERS_MAX } from '../limits.ts';
import type { DeadLetter } from '../port.ts';

/** The in-process bus's dead letters: the newest, up to the cap. */
export class LocalDeadLetters {
  readonly #letters: DeadLetter[] = [];
  #count = 0;

  add(letter: Omit<DeadLetter, 'id'>): void {
    this.#count += 1;
    this.#letters.push({ ...boundedLetter(letter), id: `${this.#count}-0` });
    if (this.#letters.length > DEAD_LETTERS_MAX) this.#letters.shift();
  }

  /** Oldest first. */
  list(query: { readonly group?: string; readonly limit: number }): readonly DeadLetter[] {
    const { group, limit } = query;
    const letters =
      group === undefined ? this.#letters : this.#letters.filter((letter) => letter.group === group);
    return letters.slice(0, limit);
  }
}
