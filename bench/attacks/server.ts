import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { createDatabase } from '../../src/db/connect.ts';
import type { JobQueue } from '../../src/jobs/job-queue.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createInProcessLimiter } from '../../src/limits/in-process-limiter.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { startApi } from '../../src/server/api.ts';
import { BENCH_MASTER_KEY } from '../history/recorded-month.ts';

/** The product's API, which tells how long its event loop was busy between BEGIN and END. */
export type AttackedServerCommand = { readonly kind: 'BEGIN' | 'END' | 'STOP' };
export type AttackedServerReport =
  | { readonly kind: 'READY'; readonly url: string }
  | { readonly kind: 'BEGUN' }
  /**
   * Milliseconds: how long the loop's thread had a processor, and how long the loop was not idle, which is more when others on
   * the machine want the processor too.
   */
  | { readonly kind: 'ENDED'; readonly cpuMs: number; readonly activeMs: number };

/** No bucket runs empty: an attack that is refused for want of points would look cheap. */
const WIDE = { capacity: 1e9, restorePerSecond: 1e8 };

const [databaseUrl = ''] = process.argv.slice(2);
const report = (message: AttackedServerReport) => process.send?.(message);
const cleanup = new AsyncDisposableStack();
const clock = systemClock;
const logger = createLogger('silent');
const masterKey = parseMasterKey(BENCH_MASTER_KEY);
const db = createDatabase({
  connectionString: databaseUrl,
  poolMax: 5,
  statementTimeoutMs: 15_000,
  applicationName: 'tallylight bench attacks',
});
cleanup.defer(() => db.destroy());
const bus = createInProcessBus({ clock });
cleanup.defer(() => bus.close());
const overlayDirectory = await mkdtemp(join(tmpdir(), 'tallylight-bench-'));
cleanup.defer(() => rm(overlayDirectory, { recursive: true }));
await mkdir(join(overlayDirectory, 'operations'));
const api = await startApi(
  {
    db,
    bus,
    vault: createVault({ db, masterKey, clock }),
    clock,
    logger,
    registry: new Registry(),
    // No attack gets as far as a job, or the pipeline.
    jobs: {} as JobQueue,
    masterKey,
    health: { inspect: async () => [] },
    limiter: createInProcessLimiter({ clock }),
  },
  {
    host: '127.0.0.1',
    port: 0,
    publicUrl: null,
    development: false,
    allowedOrigins: [],
    // Everybody may write documents: whoever may not is refused before anything is parsed.
    freeForm: 'anybody',
    overlayDirectory,
    costRules: { known: WIDE, anonymous: WIDE },
  },
);
cleanup.defer(() => api.stop());

let since = performance.eventLoopUtilization();
let cpu = process.threadCpuUsage();
process.on('message', (command: AttackedServerCommand) => {
  switch (command.kind) {
    case 'BEGIN':
      since = performance.eventLoopUtilization();
      cpu = process.threadCpuUsage();
      return report({ kind: 'BEGUN' });
    case 'END': {
      const { user, system } = process.threadCpuUsage(cpu);
      const { active } = performance.eventLoopUtilization(since);
      return report({ kind: 'ENDED', cpuMs: (user + system) / 1_000, activeMs: active });
    }
    case 'STOP':
      return process.disconnect();
  }
});
process.once('disconnect', () => void cleanup.disposeAsync().finally(() => process.exit()));
report({ kind: 'READY', url: api.url });
