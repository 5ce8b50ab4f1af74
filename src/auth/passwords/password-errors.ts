import { UserError } from '../../errors/errors.ts';

/** The password would be guessed too soon. */
export class WeakPasswordError extends UserError {
  override readonly name = 'WeakPasswordError';
  readonly code = 'WEAK_PASSWORD';
  /** What would make it better, in sentences; may be empty. */
  readonly suggestions: readonly string[];

  constructor(suggestions: readonly string[]) {
    super('This password would be guessed too soon: take a longer, less common one.');
    this.suggestions = suggestions;
  }
}
