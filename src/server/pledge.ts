import type { Viewer } from '../auth/viewer.ts';
import type { Deposit, Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import { type CostRules, payerOf } from './cost-bucket.ts';
import { REFUSED_DOCUMENT_COST } from './limits.ts';

/**
 * That somebody pays for a document also when it cannot run. Given before it is parsed and checked, redeemed when it turns out to
 * be wrong, and void once the operation is paid from its cost.
 */
export class Pledge {
  readonly #give: () => Deposit;
  #deposit: Deposit | null = null;

  constructor(
    { deposits, rules }: { readonly deposits: Deposits; readonly rules: CostRules },
    asker: { readonly viewer: Viewer; readonly address: string | null },
  ) {
    const payer = payerOf(asker, rules);
    this.#give = () => deposits.take({ ...payer, points: REFUSED_DOCUMENT_COST });
  }

  /** Looks whether it could be given now. @throws RateLimitedError */
  check(): void {
    this.#give().release();
  }

  /** @throws RateLimitedError when the asker's bucket could not pay for a document that is wrong */
  give(): void {
    this.#deposit ??= this.#give();
  }

  void(): void {
    this.#deposit?.release();
  }

  /** Takes the points, once. What went wrong before it was given (a body that is no request) is paid for as well. */
  async redeem(): Promise<void> {
    try {
      this.give();
    } catch (error) {
      // Then there is nothing left to take.
      if (!(error instanceof RateLimitedError)) throw error;
    }
    await this.#deposit?.forfeit();
  }
}
