import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';

/** A simulator on any free port, in which nothing happens unless asked for; stopped when it goes out of scope. */
export async function simulate(
  options: Partial<SimulatorOptions> = {},
): Promise<Simulator & AsyncDisposable> {
  const simulator = await startSimulator({
    clock: systemClock,
    logger: createLogger('silent'),
    seed: 1,
    ...options,
  });
  return { ...simulator, [Symbol.asyncDispose]: () => simulator.stop() };
}

/** A viewer to send messages as. */
export const ADA = { id: '7000000000000000001', displayId: 'ada', nickname: 'Ada' } as const;
