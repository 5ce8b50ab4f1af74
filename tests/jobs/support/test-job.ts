import type { JobKind } from '../../../src/jobs/job-queue.ts';

/** A kind of job that carries a number. */
export function testJob(
  name: string,
  options: { readonly retriesMax?: number } = {},
): JobKind<{ readonly number: number }> {
  return {
    name,
    parse: (data) => data as { readonly number: number }, // the test enqueues nothing else
    retriesMax: options.retriesMax ?? 3,
    retryDelaySeconds: 1,
    retryDelayMaxSeconds: 2,
    runSecondsMax: 600,
  };
}
