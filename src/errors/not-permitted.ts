import { UserError } from './errors.ts';

/** The asker sees the thing, but their role does not let them do this with it. */
export class NotPermittedError extends UserError {
  override readonly name = 'NotPermittedError';
  readonly code = 'NOT_PERMITTED';

  constructor() {
    super('Your role does not permit this.');
  }
}
