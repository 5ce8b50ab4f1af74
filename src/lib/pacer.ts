import { setImmediate as nextTurn } from 'node:timers/promises';

/** Cuts long computations into turns, so that sockets and timers get theirs in between. */
export interface Pacer {
  /** To be called after each unit of work: resolves at once, or in the next turn when this one's share is used up. */
  spend(): Promise<void> | undefined;
}

/** A pacer that ends the turn after every `unitsPerTurn` units of work. */
export function createPacer(unitsPerTurn: number): Pacer {
  let left = unitsPerTurn;
  return {
    spend() {
      left -= 1;
      if (left > 0) return undefined;
      left = unitsPerTurn;
      return nextTurn();
    },
  };
}
