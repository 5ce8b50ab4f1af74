import { randomBytes } from 'node:crypto';
import { Registry } from 'prom-client';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { createDatabase } from '../../src/db/connect.ts';
import { startStorageWorker } from '../../src/events/storage/worker.ts';
import { startIngest } from '../../src/ingest/ingest-service.ts';
import { createSignBudget } from '../../src/ingest/sign-budget.ts';
import { createTikTokSource } from '../../src/ingest/tiktok/tiktok-source.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { watchProcessLoad } from '../support/process-load.ts';
import type { PipelineCommand, ReaderReport } from './connector-alone.ts';

/** The whole pipeline in one process: socket, normaliser, bus, storage. It differs from the product in its settings only. */
const [webHost = '', signUrl = '', databaseUrl = '', redisUrl = '', keyPrefix = ''] = process.argv.slice(2);
const clock = systemClock;
const logger = createLogger('warn');
const registry = new Registry();
const db = createDatabase({
  connectionString: databaseUrl,
  poolMax: 4,
  statementTimeoutMs: 10_000,
  applicationName: 'bench',
});
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const vault = createVault({ db, masterKey, clock });
const bus =
  redisUrl === ''
    ? createInProcessBus({ clock })
    : await createRedisBus({
        url: redisUrl,
        keyPrefix,
        groupPrefix: keyPrefix,
        shards: 4,
        streamEventsMax: 100_000,
        clock,
        logger,
      });
const storage = await startStorageWorker(
  { db, bus, vault, clock, logger, registry },
  { consumerId: 'bench' },
);
const source = createTikTokSource({
  hosts: { webHost, webcastHost: webHost, signUrl },
  provider: 'direct',
  signKey: null,
  signBudget: createSignBudget({ db, clock }),
  clock,
  logger,
});
const ingest = await startIngest(
  { db, bus, vault, clock, logger, registry, sourceFor: () => source, random: Math.random },
  {},
);

const load = watchProcessLoad();
const report = (message: ReaderReport) => process.send?.(message);
process.on('message', (command: PipelineCommand) => {
  if (command.kind === 'EXPECT') load();
  else if (command.kind === 'LOAD') report({ kind: 'READ', load: load() });
  else process.disconnect();
});

async function stop(): Promise<void> {
  await ingest.stop();
  await storage.stop();
  await bus.close();
  await db.destroy();
}
process.once('disconnect', () => void stop());
report({ kind: 'CONNECTED' });
