import type { Delivery } from '../bus/port.ts';
import { UserError } from '../errors/errors.ts';

/** A subscription that cannot be complete any more. Subscribe again, and read what was missed with `resumeAfter`. */
export abstract class FeedError extends UserError {
  /** The last event the subscriber took; null when there was none. Events after it may be missing. */
  readonly lastTaken: Delivery | null;

  constructor(message: string, lastTaken: Delivery | null) {
    super(message);
    this.lastTaken = lastTaken;
  }
}

/** The subscriber read too slowly, and what would have to be left out must not be. */
export class FeedOverflowError extends FeedError {
  override readonly name = 'FeedOverflowError';
  readonly code = 'SUBSCRIPTION_TOO_SLOW';

  constructor(lastTaken: Delivery | null) {
    super('The subscription was ended because its events were read too slowly. Subscribe again.', lastTaken);
  }
}

/** The bus was out of reach for a moment: events may have passed unseen. */
export class FeedInterruptedError extends FeedError {
  override readonly name = 'FeedInterruptedError';
  readonly code = 'SUBSCRIPTION_INTERRUPTED';

  constructor(lastTaken: Delivery | null) {
    super('The subscription was ended because events may have been missed. Subscribe again.', lastTaken);
  }
}
