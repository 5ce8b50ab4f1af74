import { describe } from 'vitest';
import { testRedisUrl } from '../support/servers.ts';
import { describeBusContract } from './contract.ts';
import { openRedisTestBus } from './redis-support.ts';

const url = testRedisUrl();

describe.skipIf(url === null)('on a real Redis', () => {
  describeBusContract('Redis', (settings) => openRedisTestBus(url ?? '', settings));
});
