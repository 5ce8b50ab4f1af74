import { expect, it } from 'vitest';
import { createRandom } from '../../src/lib/random.ts';

const draw = (seed: number | string, count: number): readonly number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

it('gives the same numbers for the same seed, and others for another', () => {
  expect(draw(7, 1000)).toEqual(draw(7, 1000));
  expect(draw(7, 4)).not.toEqual(draw(8, 4));
});

it('spreads evenly over [0, 1)', () => {
  const numbers = draw('even', 100_000);
  const tenths = Array.from({ length: 10 }, () => 0);
  for (const number of numbers) tenths[Math.floor(number * 10)] = (tenths[Math.floor(number * 10)] ?? 0) + 1;
  // 10,000 expected in each; five standard deviations are 475.
  for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(475);
});

it('includes both ends in whole numbers', () => {
  const random = createRandom(1);
  const seen = new Set(Array.from({ length: 200 }, () => random.integer(-1, 2)));
  expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
});

it('forks a stream that does not depend on how much of the parent was used', () => {
  const fresh = createRandom(5).fork('viewers').next();
  const used = createRandom(5);
  for (let index = 0; index < 10; index += 1) used.next();
  expect(used.fork('viewers').next()).toBe(fresh);
  expect(used.fork('gifts').next()).not.toBe(fresh);
});

it('refuses to pick from nothing', () => {
  expect(() => createRandom(1).pick([])).toThrow('nothing to pick from');
});
