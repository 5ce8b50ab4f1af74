import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/config.ts';
import { keepPartitions } from '../events/partitions.ts';
import { failOrphanedFileReplays } from '../events/replay/file.ts';
import { workReplays } from '../events/replay/replay.ts';
import { type StorageWorker, startStorageWorker } from '../events/storage/worker.ts';
import { inspectPipeline } from '../health/pipeline-health.ts';
import { startIngest } from '../ingest/ingest-service.ts';
import { createSignBudget, type SignBudget } from '../ingest/sign-budget.ts';
import type { TikTokHosts } from '../ingest/tiktok/options.ts';
import { createTikTokSource } from '../ingest/tiktok/tiktok-source.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { createPgBossQueue } from '../jobs/pg-boss-queue.ts';
import { pause } from '../lib/pause.ts';
import { randomFraction } from '../lib/random.ts';
import { createInProcessLimiter } from '../limits/in-process-limiter.ts';
import type { Limiter } from '../limits/limiter.ts';
import { createRedisLimiter } from '../limits/redis-limiter.ts';
import { createFolderTransport } from '../mail/folder-transport.ts';
import { workMails } from '../mail/outbox.ts';
import { createSmtpTransport } from '../mail/smtp-transport.ts';
import { deriveKey } from '../privacy/master-key.ts';
import { startApi } from '../server/api.ts';
import { costRulesOf } from '../server/cost-bucket.ts';
import type { Terminal } from './command.ts';
import { exposureWarning } from './exposure.ts';
import { externalSettingsOf } from './external-identity.ts';
import type { Foundation } from './foundation.ts';
import type { Parts } from './parts.ts';
import { redisTlsOf } from './redis-tls.ts';

/** The overlay's files, wherever the process was started. */
const OVERLAY_DIRECTORY = fileURLToPath(new URL('../../web/overlay', import.meta.url));

/** How often to look whether the bus is empty when stopping, in milliseconds. */
const DRAIN_LOOK_MS = 10;
/** The console's files. */
const CONSOLE_DIRECTORY = fileURLToPath(new URL('../../web/console', import.meta.url));

/** Names this process among all: several may run on a machine, one after the other too. */
function processName(): string {
  return `${hostname()}-${randomUUID()}`;
}

/** A connection to the job queue: to run jobs, or only to enqueue them. */
export function startJobs(
  parts: Parts,
  { connectionString, roleTaken, logger }: Foundation,
  role: 'worker' | 'sender',
): Promise<JobQueue> {
  const options = { connectionString, role, install: !roleTaken, logger: logger.child({ module: 'jobs' }) };
  return parts.start(
    { name: 'job queue' },
    () => createPgBossQueue(options),
    (jobs) => jobs.stop(),
  );
}

/** The storage worker: what is on the bus goes to PostgreSQL. Partitions are made before. */
export async function startStorage(
  parts: Parts,
  foundation: Foundation,
  { config, jobs }: { readonly config: Config; readonly jobs: JobQueue },
): Promise<void> {
  const logger = foundation.logger.child({ module: 'storage' });
  await keepPartitions({ ...foundation, logger, jobs });
  await parts.start(
    { name: 'storage worker' },
    () =>
      startStorageWorker(
        { ...foundation, logger },
        {
          consumerId: processName(),
          batchEventsMax: config.storage.batchMax,
          lingerMs: config.storage.lingerMs,
        },
      ),
    async (worker) => {
      // What lies in this process's own bus is gone with it.
      if (config.bus.redisUrl === null) await drained(worker);
      await worker.stop();
    },
  );
}

/** Resolves when everything on the bus is stored; for ever not, while the database is away. */
async function drained(worker: StorageWorker): Promise<void> {
  while ((await worker.lag()).pendingEvents > 0) await sleep(DRAIN_LOOK_MS);
}

/** Replays that somebody asked for run in this process too. */
export async function startReplays(foundation: Foundation, jobs: JobQueue): Promise<void> {
  const deps = { ...foundation, logger: foundation.logger.child({ module: 'replay' }), pause };
  await failOrphanedFileReplays(deps);
  await workReplays({ ...deps, jobs });
}

/** Sends mails that are written down, by SMTP or into a folder. */
export async function startMails(
  parts: Parts,
  foundation: Foundation,
  { config, jobs }: { readonly config: Config; readonly jobs: JobQueue },
): Promise<void> {
  const logger = foundation.logger.child({ module: 'mail' });
  const { smtpUrl, from } = config.mail;
  const folder = join(config.dataDir, 'mail');
  const transport = await parts.start(
    { name: 'mail' },
    () =>
      smtpUrl === null
        ? createFolderTransport({ ...foundation, logger }, { folder, from })
        : createSmtpTransport({ url: smtpUrl.reveal(), from }),
    async (started) => started.close(),
  );
  if (smtpUrl === null) logger.info({ folder }, 'mail.folder');
  await workMails({ ...foundation, jobs, transport });
}

/** Connects rooms. `hostsFor` says where a handle's provider is: the configured hosts, or a simulator. */
export async function startRooms(
  parts: Parts,
  foundation: Foundation,
  options: { readonly config: Config; readonly hostsFor: (handle: string) => TikTokHosts },
): Promise<void> {
  const { db, clock } = foundation;
  const { tiktok, ingest, development } = options.config;
  const logger = foundation.logger.child({ module: 'ingest' });
  const budgetOf = (signKey: string | null): SignBudget =>
    createSignBudget({ db, clock }, { signKey, perMinute: tiktok.signRatePerMinute, logger });
  const ownKey = tiktok.signKey?.reveal() ?? null;
  const ownBudget = budgetOf(ownKey);
  await parts.start(
    { name: 'ingest' },
    () =>
      startIngest(
        {
          ...foundation,
          logger,
          random: randomFraction,
          sourceFor: ({ handle, signKey }) =>
            createTikTokSource({
              hosts: options.hostsFor(handle),
              provider: tiktok.provider,
              signKey: signKey ?? ownKey,
              signBudget: signKey === null ? ownBudget : budgetOf(signKey),
              clock,
              logger,
            }),
        },
        { ...ingest, development },
      ),
    (service) => service.stop(),
  );
}

/** The hosts that are configured: the real ones, or those of a simulator that somebody else runs. */
export function configuredHosts({ tiktok }: Config): TikTokHosts {
  return { webHost: tiktok.webHost, webcastHost: tiktok.webcastHost, signUrl: tiktok.signUrl };
}

/**
 * The API. Resolves to where it listens.
 * @throws ListenError when it cannot listen there, TlsFilesError when its certificate cannot be used.
 */
export async function startApiServer(
  parts: Parts,
  foundation: Foundation,
  {
    config,
    jobs,
    terminal,
  }: { readonly config: Config; readonly jobs: JobQueue; readonly terminal: Terminal },
): Promise<{ readonly url: string }> {
  const { host, port, tls, publicUrl, allowedOrigins, freeForm, metricsToken } = config.api;
  const exposure = exposureWarning(config);
  if (exposure !== null) terminal.note(`tallylight: ${exposure}`);
  const { development } = config;
  const limiter = await startLimiter(parts, foundation, config);
  return parts.start(
    { name: 'API' },
    () =>
      startApi(
        {
          ...foundation,
          jobs,
          limiter,
          health: { inspect: (channelId) => inspectPipeline(foundation, { channelId }) },
        },
        {
          host,
          port,
          tls: tls === null ? null : { ...tls, onReload: terminal.onReload },
          publicUrl,
          development,
          session: config.session,
          external: externalSettingsOf(config),
          allowedOrigins,
          freeForm,
          metricsToken: metricsToken?.reveal() ?? null,
          overlayDirectory: OVERLAY_DIRECTORY,
          ...protectionOf(config),
          consoleDirectory: CONSOLE_DIRECTORY,
        },
      ),
    (server) => server.stop(),
  );
}

/** How much may be asked of the API, and by what ways. A stranger's address gets a part of what somebody known gets. */
function protectionOf({ api }: Config) {
  const { trustedProxies, operationDeadlineMs, conformance } = api;
  return {
    trustedProxies,
    operationDeadlineMs,
    costRules: costRulesOf(api.costPoints, api.costPointsPerSecond),
    ...(conformance ? { conformance: { get: true, introspection: true } } : {}),
  };
}

/** Buckets shared by all API processes, or of this one when there is no Redis to share them by. */
function startLimiter(
  parts: Parts,
  { clock, logger, masterKey }: Foundation,
  config: Config,
): Promise<Limiter> {
  const { redisUrl, keyPrefix } = config.bus;
  return parts.start(
    { name: 'limits' },
    async () =>
      redisUrl === null
        ? createInProcessLimiter({ clock })
        : createRedisLimiter({
            url: redisUrl.reveal(),
            tls: redisTlsOf(config),
            keyPrefix,
            secret: deriveKey(masterKey, 'limits: bucket names'),
            clock,
            logger: logger.child({ module: 'limits' }),
          }),
    async (limiter) => limiter.close(),
  );
}
