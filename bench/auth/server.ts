import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import RelayPlugin from '@pothos/plugin-relay';
import { createYoga } from 'graphql-yoga';
import { Registry } from 'prom-client';
import type { SignedInUser } from '../../src/auth/viewer.ts';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { AppContext, Services } from '../../src/context.ts';
import { createDatabase } from '../../src/db/connect.ts';
import type { JobQueue } from '../../src/jobs/job-queue.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ChannelId, SignInId, UserId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createInProcessLimiter } from '../../src/limits/in-process-limiter.ts';
import { createRedisLimiter } from '../../src/limits/redis-limiter.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { builder } from '../../src/schema/builder.ts';
import '../../src/schema/index.ts';
import { startApi } from '../../src/server/api.ts';
import { createLoaders } from '../../src/server/loaders.ts';
import { BENCH_MASTER_KEY } from '../history/recorded-month.ts';
import { watchProcessLoad } from '../support/process-load.ts';

/**
 * One of the two servers. SECURED is the product's API as it is. STOCK is Yoga as it comes, over the same schema built
 * without scope-auth and complexity, with the same resolvers and loaders; that the same somebody asks it takes for granted.
 */
export type AuthServerCommand = { readonly kind: 'LOAD' } | { readonly kind: 'STOP' };
export type AuthServerReport =
  | { readonly kind: 'READY'; readonly url: string }
  /** CPU time since the last question, in milliseconds. */
  | { readonly kind: 'LOADED'; readonly cpuMs: number };

/** No bucket runs empty during a bench. */
const WIDE = { capacity: 1e9, restorePerSecond: 1e8 };

const [variant = '', databaseUrl = '', redisUrl = '', keyPrefix = '', userId = '', channelId = ''] =
  process.argv.slice(2);
const report = (message: AuthServerReport) => process.send?.(message);
const cleanup = new AsyncDisposableStack();
const clock = systemClock;
const logger = createLogger('error');
const masterKey = parseMasterKey(BENCH_MASTER_KEY);
const db = createDatabase({
  connectionString: databaseUrl,
  poolMax: 10,
  statementTimeoutMs: 15_000,
  applicationName: `tallylight bench ${variant}`,
});
cleanup.defer(() => db.destroy());
const vault = createVault({ db, masterKey, clock });

const url = variant === 'SECURED' ? await startSecured() : await startStock();
const load = watchProcessLoad();
process.on('message', (command: AuthServerCommand) => {
  if (command.kind === 'LOAD') report({ kind: 'LOADED', cpuMs: load().cpuMs });
  else process.disconnect();
});
process.once('disconnect', () => void cleanup.disposeAsync().finally(() => process.exit()));
report({ kind: 'READY', url });

async function startSecured(): Promise<string> {
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  const limiter =
    redisUrl === ''
      ? createInProcessLimiter({ clock })
      : await createRedisLimiter({
          url: redisUrl,
          keyPrefix,
          secret: Buffer.alloc(32, 2),
          clock,
          logger,
        });
  cleanup.defer(() => limiter.close());
  const overlayDirectory = await mkdtemp(join(tmpdir(), 'tallylight-bench-'));
  cleanup.defer(() => rm(overlayDirectory, { recursive: true }));
  await mkdir(join(overlayDirectory, 'operations'));
  // The query neither sends jobs nor asks for the pipeline.
  const jobs = {} as JobQueue;
  const health = { inspect: async () => [] };
  const registry = new Registry();
  const api = await startApi(
    { db, bus, vault, clock, logger, registry, jobs, masterKey, health, limiter },
    {
      host: '127.0.0.1',
      port: 0,
      publicUrl: null,
      development: false,
      allowedOrigins: [],
      overlayDirectory,
      costRules: { known: WIDE, anonymous: WIDE },
    },
  );
  cleanup.defer(() => api.stop());
  return api.url;
}

async function startStock(): Promise<string> {
  // The one that the other server finds behind the cookie: what resolvers decide per row, they decide alike.
  const viewer: SignedInUser = {
    kind: 'USER',
    userId: userId as UserId, // the bench made them
    platformRole: 'USER',
    emailVerified: true,
    credential: { kind: 'SESSION', id: 'sig_bench' as SignInId },
    mfa: 'NOT_REQUIRED',
    freshUntilMs: null,
    memberships: new Map([[channelId as ChannelId, 'OWNER']]),
    staffAccess: new Set(),
  };
  const services = { db, vault, clock, logger, masterKey } as unknown as Services;
  Object.assign(builder.options, { plugins: [RelayPlugin] });
  const yoga = createYoga({
    schema: builder.toSchema(),
    logging: false,
    context: (): AppContext =>
      ({
        viewer,
        reader: viewer,
        requestId: 'bench',
        connectionId: 'bench',
        cookies: null,
        services,
        loaders: createLoaders(services),
      }) as unknown as AppContext,
  });
  const server = createServer((request, response) => void yoga(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}
