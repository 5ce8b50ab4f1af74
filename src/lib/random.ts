import { randomInt } from 'node:crypto';
import { assert } from './assert.ts';

/** A number from 0 to below 1, from the machine's randomness: spreads retries, decides nothing else. */
export function randomFraction(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/**
 * A stream of pseudo-random numbers that is the same for the same seed, on every machine. For simulations and back-off
 * jitter in tests; never for secrets or ids.
 */
export interface Random {
  /** The next number, at least 0 and below 1. */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  /** True with the given probability (0 never, 1 always). */
  chance(probability: number): boolean;
  /** One of `list`, which must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** An independent stream, the same for the same parent seed and label, however much the parent has been used. */
  fork(label: string): Random;
}

/** The stream of `seed`. */
export function createRandom(seed: number | string): Random {
  const root = hash32(`${seed}`);
  let state = root;
  /** mulberry32 by Tommy Ettinger (public domain): 32 bits of state, passes gjrand, and is short. */
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    next,
    integer: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => next() < probability,
    pick: (list) => {
      assert(list.length > 0, 'nothing to pick from');
      // The index is below the length, which was checked above; `T` itself may include undefined.
      return list[Math.floor(next() * list.length)] as (typeof list)[number];
    },
    fork: (label) => createRandom(`${root}/${label}`),
  };
}

/** FNV-1a: spreads short texts well enough to seed the generator above. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash | 0;
}
