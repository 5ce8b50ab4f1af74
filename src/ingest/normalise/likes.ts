/** No stream has had more. A total above it is nonsense and must not hold the maximum up forever. */
export const LIKES_TOTAL_MAX = 1_000_000_000_000;
/** One message stands for a second or so of one viewer's taps. */
export const LIKES_PER_MESSAGE_MAX = 1_000_000;

/** A stream's like total as the highest value seen: the provider's own went backwards in 200 of 473 messages. */
export class LikeMaximum {
  #value: number;

  constructor(restored: number) {
    this.#value = restored;
  }

  get value(): number {
    return this.#value;
  }

  /** Takes the provider's total; true when it is a new maximum. */
  raise(total: number): boolean {
    if (total <= this.#value || total >= LIKES_TOTAL_MAX) return false;
    this.#value = total;
    return true;
  }
}
