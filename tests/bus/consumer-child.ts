import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { redisBusOptions } from './redis-support.ts';
import { consuming } from './support.ts';

/** Takes a batch of the group `storage`, tells how long it is, and never finishes it. To be killed. */
const [url = '', keyPrefix = ''] = process.argv.slice(2);
const bus = await createRedisBus(redisBusOptions({ url, keyPrefix }));
await bus.consume(
  consuming(
    async (batch) => {
      process.stdout.write(`${batch.length}\n`);
      return new Promise(() => {});
    },
    { consumerId: `child-${process.pid}` },
  ),
);
