import { UserError } from './errors.ts';

/** There is no channel of this id, or the asker may not see it. */
export class ChannelNotFoundError extends UserError {
  override readonly name = 'ChannelNotFoundError';
  readonly code = 'CHANNEL_NOT_FOUND';

  constructor() {
    super('There is no such channel.');
  }
}
