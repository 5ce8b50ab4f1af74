import { createRedisBus } from '../../../src/bus/redis-bus.ts';
import { createDatabase } from '../../../src/db/connect.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { ingestFixture } from './ingest.ts';
import { quietLogger } from './source.ts';

/** An ingest worker in a process of its own, to be stopped, frozen or killed like a real one. Says `started` on its standard output. */
const [databaseUrl = '', redisUrl = '', keyPrefix = '', host = '', leaseMs = ''] = process.argv.slice(2);
const db = createDatabase({
  connectionString: databaseUrl,
  poolMax: 3,
  statementTimeoutMs: 10_000,
  applicationName: 'tallylight test worker',
});
const bus = await createRedisBus({
  url: redisUrl,
  keyPrefix,
  groupPrefix: keyPrefix,
  shards: 2,
  streamEventsMax: 100_000,
  clock: systemClock,
  logger: quietLogger,
});
const simulator = { webHost: host, webcastHost: host, signUrl: `http://${host}` };
await ingestFixture({ db, bus, simulator }, { leaseMs: Number(leaseMs) });
process.stdout.write('started\n');
