import { Registry } from 'prom-client';
import { createDatabase } from '../../../src/db/connect.ts';
import { startStorageWorker } from '../../../src/events/storage/worker.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { ingestFixture, inProcessBus, testVault } from './ingest.ts';
import { quietLogger } from './source.ts';

/** Ingest, storage and the bus that forgets in one process, to be killed. Says `started` on its standard output. */
const [databaseUrl = '', host = '', masterKey = ''] = process.argv.slice(2);
const db = createDatabase({
  connectionString: databaseUrl,
  poolMax: 3,
  statementTimeoutMs: 10_000,
  applicationName: 'tallylight test product',
});
const bus = inProcessBus();
const vault = testVault(db, masterKey);
await startStorageWorker(
  { db, bus, vault, clock: systemClock, logger: quietLogger, registry: new Registry() },
  { consumerId: 'test' },
);
const simulator = { webHost: host, webcastHost: host, signUrl: `http://${host}` };
await ingestFixture({ db, bus, simulator, vault });
process.stdout.write('started\n');
