import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Kysely } from 'kysely';
import { Registry } from 'prom-client';
import { operatorKey, overlayKey } from '../../src/auth/access-keys.ts';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../src/bus/port.ts';
import { operationHash, type RegisteredOperation } from '../../src/clients/operation.ts';
import { createDatabase, type Database } from '../../src/db/connect.ts';
import { takeProcessRole } from '../../src/db/process-role.ts';
import { inspectPipeline } from '../../src/health/pipeline-health.ts';
import { createPgBossQueue } from '../../src/jobs/pg-boss-queue.ts';
import { assert } from '../../src/lib/assert.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ChannelId } from '../../src/lib/ids.ts';
import { createLogger, type Logger } from '../../src/lib/logger.ts';
import { createInProcessLimiter } from '../../src/limits/in-process-limiter.ts';
import { connectChannel } from '../../src/live/channels.ts';
import { type MasterKey, parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../src/privacy/vault.ts';
import { type Api, type ApiOptions, startApi } from '../../src/server/api.ts';
import { createTestDatabase } from '../support/database.ts';

/** Names a registered operation. */
export interface RegisteredRequest {
  readonly extensions: { readonly persistedQuery: { readonly version: 1; readonly sha256Hash: string } };
}

/** An API over a database of its own and the in-process bus, all of them real. */
export interface ApiFixture extends AsyncDisposable {
  readonly api: Api;
  readonly url: string;
  /** The database as its owner sees it; the API itself has the rights of its role. */
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly masterKey: MasterKey;
  readonly operatorKey: string;
  /** How many statements the database has been asked so far. */
  statements(): number;
  /** Makes a channel, as `channelConnect` does. */
  channel(handle: string): Promise<{ readonly id: ChannelId; readonly overlayKey: string }>;
  /**
   * What to send in place of a document: its id, as an operation that overlays may run from now on. Overlays may send no
   * documents, so `post` and `ask` do so by themselves for their keys.
   */
  byId(query: string): RegisteredRequest;
  /** Sends a request as the holder of `key`. */
  post(body: object, key?: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** The answer of an operation run as the owner. */
  // The answer's type is the caller's business: it wrote the document.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  ask(query: string, variables?: object, key?: string): Promise<any>;
}

export async function startApiFixture(
  options: Partial<ApiOptions> & { readonly logger?: Logger } = {},
): Promise<ApiFixture> {
  const cleanup = new AsyncDisposableStack();
  const database = cleanup.use(await createTestDatabase());
  const logger = options.logger ?? createLogger('silent');
  const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
  const clock = systemClock;
  let statements = 0;
  // With the rights that the API has in production, and no others.
  const { connectionString, role } = await takeProcessRole({
    connectionString: database.url,
    process: 'api',
    logger,
  });
  assert(role !== null, 'the tests connect as somebody who may become any role');
  const pool = createDatabase({
    connectionString,
    poolMax: 5,
    statementTimeoutMs: 30_000,
    applicationName: 'tallylight test api',
  });
  cleanup.defer(() => pool.destroy());
  const db = pool.withPlugin({
    transformQuery: ({ node }) => {
      statements += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const bus = createInProcessBus({ clock });
  cleanup.defer(() => bus.close());
  const vault = createVault({ db, masterKey, clock });
  const jobs = await createPgBossQueue({ connectionString, role: 'sender', install: false, logger });
  cleanup.defer(() => jobs.stop());
  const overlayDirectory = await mkdtemp(path.join(tmpdir(), 'tallylight-overlay-'));
  cleanup.defer(() => rm(overlayDirectory, { recursive: true }));
  await writeFile(path.join(overlayDirectory, 'index.html'), '<!doctype html><title>overlay</title>');
  await writeFile(path.join(overlayDirectory, 'overlay.js'), 'export {};\n');
  await writeFile(path.join(overlayDirectory, 'secret.txt'), 'not a file of the overlay');
  const overlayOperations = new Map<string, RegisteredOperation>();
  const byId: ApiFixture['byId'] = (document) => {
    const hash = operationHash(document);
    overlayOperations.set(hash, { hash, name: 'Test', document });
    return { extensions: { persistedQuery: { version: 1, sha256Hash: hash } } };
  };
  const api = await startApi(
    {
      db,
      bus,
      vault,
      clock,
      logger,
      registry: new Registry(),
      jobs,
      masterKey,
      limiter: createInProcessLimiter({ clock }),
      health: { inspect: (channelId) => inspectPipeline({ db, bus, clock }, { channelId }) },
    },
    {
      host: '127.0.0.1',
      port: 0,
      publicUrl: null,
      development: false,
      allowedOrigins: [],
      metricsToken: null,
      freeForm: 'anybody',
      overlayDirectory,
      // The real overlay comes with what it runs; for any other, what the test registers.
      ...(options.overlayDirectory === undefined
        ? { firstParty: { overlay: overlayOperations, console: new Map() } }
        : {}),
      ...options,
    },
  );
  cleanup.defer(() => api.stop());
  const owner = operatorKey(masterKey);
  const post: ApiFixture['post'] = (body, key = owner, headers = {}) =>
    fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
      body: JSON.stringify(
        key.startsWith('tlo_') && 'query' in body
          ? { ...body, query: undefined, ...byId(String(body.query)) }
          : body,
      ),
    });
  return {
    api,
    url: api.url,
    db: database.db,
    bus,
    vault,
    masterKey,
    operatorKey: owner,
    statements: () => statements,
    channel: async (handle) => {
      const { id } = await connectChannel({ db, bus, clock, masterKey }, { handle, provider: 'TIKTOK' });
      return { id, overlayKey: overlayKey(masterKey, id, 1) };
    },
    byId,
    post,
    ask: async (query, variables = {}, key = owner) => (await post({ query, variables }, key)).json(),
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}
