import type { LiveSource, SourceConnection, SourceMessage } from '../../../src/ingest/live-source.ts';
import type { SignBudget } from '../../../src/ingest/sign-budget.ts';
import type { TikTokSourceOptions } from '../../../src/ingest/tiktok/options.ts';
import { createTikTokSource } from '../../../src/ingest/tiktok/tiktok-source.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';

/** Logs nothing: tests assert on what happens. */
export const quietLogger = createLogger('silent');

/** A simulator that stops with the test. */
export async function simulatorFixture(
  options: Partial<SimulatorOptions> = {},
): Promise<Simulator & AsyncDisposable> {
  const simulator = await startSimulator({ clock: systemClock, logger: quietLogger, seed: 7, ...options });
  return Object.assign(simulator, { [Symbol.asyncDispose]: () => simulator.stop() });
}

/** A budget that never runs out and remembers what it was told. */
export function openBudget(): SignBudget & { taken: number; blockedUntil: number | null } {
  const budget = {
    taken: 0,
    blockedUntil: null as number | null,
    take: async () => {
      budget.taken += 1;
    },
    block: async (untilMs: number) => {
      budget.blockedUntil = untilMs;
    },
  };
  return budget;
}

/** The real source, pointed at the simulator. */
export function sourceOf(
  simulator: Pick<Simulator, 'webHost' | 'webcastHost' | 'signUrl'>,
  options: Partial<TikTokSourceOptions> = {},
): LiveSource {
  return createTikTokSource({
    hosts: {
      webHost: simulator.webHost,
      webcastHost: simulator.webcastHost,
      signUrl: simulator.signUrl,
    },
    provider: 'direct',
    signKey: null,
    signBudget: openBudget(),
    clock: systemClock,
    logger: quietLogger,
    ...options,
  });
}

/** Reads messages until `count` of them came or the connection ended. */
export async function readMessages(connection: SourceConnection, count: number): Promise<SourceMessage[]> {
  const read: SourceMessage[] = [];
  const iterator = connection.messages[Symbol.asyncIterator]();
  while (read.length < count) {
    const next = await iterator.next();
    if (next.done === true) break;
    read.push(...next.value);
  }
  return read;
}
