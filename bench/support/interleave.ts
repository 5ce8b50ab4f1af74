/** One of the things a bench compares. */
export interface Variant<T> {
  readonly name: string;
  readonly run: () => Promise<T>;
}

/**
 * Runs the variants in turn, `rounds` times, and gives each one's samples: what the machine does beside the bench then
 * falls on all of them alike. Every other round runs backwards, so that none always follows the same neighbour.
 */
export async function interleave<T>(
  rounds: number,
  variants: readonly Variant<T>[],
): Promise<ReadonlyMap<string, readonly T[]>> {
  const samples = new Map<string, T[]>(variants.map((variant) => [variant.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? variants : variants.toReversed();
    for (const variant of order) samples.get(variant.name)?.push(await variant.run());
  }
  return samples;
}

/** How long `work` takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
