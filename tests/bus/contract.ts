import { describe } from 'vitest';
import { describeAppendContract } from './contract-append.ts';
import { describeGroupContract } from './contract-group.ts';
import { describeLeaseContract } from './contract-lease.ts';
import { describeLiveContract } from './contract-live.ts';
import type { BusSettings, TestBus } from './support.ts';

/** Opens an empty bus of a test's own. */
export type OpenTestBus = (settings?: BusSettings) => Promise<TestBus>;

/** The promises of `src/bus/port.ts`, for one adapter. Every adapter runs the same tests. */
export function describeBusContract(adapter: string, open: OpenTestBus): void {
  describe(`the bus contract: ${adapter}`, () => {
    describeAppendContract(open);
    describeLeaseContract(open);
    describeLiveContract(open);
    describeGroupContract(open);
  });
}
