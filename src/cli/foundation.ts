import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { Registry } from 'prom-client';
import { createInProcessBus } from '../bus/in-process-bus.ts';
import type { EventBus } from '../bus/port.ts';
import { createRedisBus } from '../bus/redis-bus.ts';
import type { Config } from '../config/config.ts';
import { createDatabase, type Database } from '../db/connect.ts';
import { DataFolderInUseError } from '../db/embedded/data-folder-lock.ts';
import { startEmbeddedPostgres } from '../db/embedded/postgres.ts';
import { findRunningPostgres } from '../db/embedded/running.ts';
import { requireCurrentSchema } from '../db/migrate.ts';
import { acquireProcessLock } from '../db/process-lock.ts';
import { type ProcessName, takeProcessRole } from '../db/process-role.ts';
import { DependencyError } from '../errors/errors.ts';
import { requireSecureHosts } from '../ingest/tiktok/options.ts';
import { assert } from '../lib/assert.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { loadOrCreateMasterKey, type MasterKey, parseMasterKey } from '../privacy/master-key.ts';
import { checkMasterKey, createVault, type Vault } from '../privacy/vault.ts';
import { makeDataFolder } from './data-folder.ts';
import { RefusedError, UsageError } from './exit-code.ts';
import { Parts } from './parts.ts';
import { MIGRATIONS_DIRECTORY, prepareDatabase } from './prepare-database.ts';
import { redisTlsOf } from './redis-tls.ts';

/** The master key's file in the data folder. */
const MASTER_KEY_FILE = 'master.key';

/** What the embedded PostgreSQL is left at least to write out and stop, in milliseconds. */
const STOP_POSTGRES_MS = 1_500;

/** Events a bus keeps unless configured: some 40 MB in this process, some 100 MB per shard in Redis at worst. */
const LOCAL_STREAM_EVENTS_MAX = 20_000;
const REDIS_STREAM_EVENTS_MAX = 100_000;

/** What every process stands on. */
export interface Foundation {
  readonly db: Kysely<Database>;
  readonly bus: EventBus;
  readonly vault: Vault;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** As which `db` connects: the login user that becomes the role of the process. */
  readonly connectionString: string;
  /** Whether that worked; else `db` has the login user's rights. */
  readonly roleTaken: boolean;
  /** As the login user. */
  readonly loginConnectionString: string;
}

interface FoundationRequest {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Names the process to PostgreSQL. */
  readonly command: string;
  /** Whose rights the database gives us; null: those of the login user. */
  readonly process: ProcessName | null;
}

/**
 * The foundation of the process that runs everything: it brings its own PostgreSQL and bus where none are configured,
 * and migrates. `failed` resolves, with why, when what it brought has ended; null when it
 * brought nothing.
 */
export async function openOwnFoundation(
  parts: Parts,
  request: FoundationRequest,
): Promise<Foundation & { readonly failed: Promise<string> | null }> {
  const { config, logger } = request;
  requireSecureHosts(config.tiktok);
  const configured = config.database.url?.reveal();
  if (configured === undefined || config.masterKey === null) await makeDataFolder(config.dataDir);
  if (configured === undefined) refuseLostMasterKey(config);
  const masterKey = await masterKeyOf(config);
  const { connectionString, failed } =
    configured === undefined
      ? await startPostgres(parts, request)
      : { connectionString: configured, failed: null };
  await prepareDatabase({ connectionString, logger });
  if (config.database.url !== null && config.bus.redisUrl === null)
    await lockDatabase(parts, connectionString);
  return { ...(await connect(parts, request, { masterKey, connectionString })), failed };
}

/**
 * The foundation of a process that shares its work with others: PostgreSQL and Redis are given, and somebody has migrated.
 * @throws UsageError when one of the two is not configured.
 * @throws SchemaOutdatedError when nobody has migrated.
 */
export async function openSharedFoundation(parts: Parts, request: FoundationRequest): Promise<Foundation> {
  const { config, command } = request;
  const missing = [
    ...(config.database.url === null ? ['DATABASE_URL'] : []),
    ...(config.bus.redisUrl === null ? ['REDIS_URL'] : []),
  ];
  if (config.database.url === null || missing.length > 0) {
    throw new UsageError(
      `\`tallylight ${command}\` works together with other processes and needs ${missing.join(' and ')}. To run everything in one process without servers: tallylight start`,
    );
  }
  requireSecureHosts(config.tiktok);
  if (config.masterKey === null) await makeDataFolder(config.dataDir);
  const masterKey = await masterKeyOf(config);
  const connectionString = config.database.url.reveal();
  await requireCurrentSchema({ connectionString, directory: MIGRATIONS_DIRECTORY });
  return connect(parts, request, { masterKey, connectionString });
}

/**
 * The same ground for another kind of process that runs within this one: connections of its own, with the rights of that
 * kind. Everything else is shared.
 */
export async function openBeside(
  parts: Parts,
  request: FoundationRequest,
  foundation: Foundation,
): Promise<Foundation> {
  const { masterKey, clock, loginConnectionString } = foundation;
  const access = await connectDatabase(parts, request, loginConnectionString);
  return { ...foundation, ...access, vault: createVault({ db: access.db, masterKey, clock }) };
}

/** The configured servers as they are, for a look: without Redis the bus is an empty one. Changes nothing. */
export async function connectFoundation(parts: Parts, request: FoundationRequest): Promise<Foundation> {
  const connectionString = request.config.database.url?.reveal();
  assert(connectionString !== undefined, 'a look needs a database that is configured');
  return connect(parts, request, { masterKey: await masterKeyOf(request.config), connectionString });
}

/**
 * Does one thing on the configured database, or on the embedded one, and lets go of everything again. The embedded one may be in
 * use by a running `tallylight start`, whose processes see what was changed as they would in a shared database.
 */
export async function withFoundation<T>(
  { config, logger, clock }: Pick<FoundationRequest, 'config' | 'logger' | 'clock'>,
  command: string,
  work: (foundation: Foundation) => Promise<T>,
): Promise<T> {
  const parts = new Parts(logger);
  const request = { config, logger, clock, command, process: null };
  try {
    const open = config.database.url === null ? openEmbeddedFoundation : connectFoundation;
    return await work(await open(parts, request));
  } finally {
    await parts.stopAll();
  }
}

/**
 * The embedded database: our own server on it, or that of the Tallylight that works in the data folder.
 * @throws DataFolderInUseError when that one's server takes no connections (yet)
 * @throws SchemaOutdatedError when it is older than we are
 */
async function openEmbeddedFoundation(parts: Parts, request: FoundationRequest): Promise<Foundation> {
  const { config } = request;
  try {
    return await openOwnFoundation(parts, request);
  } catch (error) {
    const connectionString =
      error instanceof DataFolderInUseError ? await findRunningPostgres(config.dataDir) : undefined;
    if (connectionString === undefined) throw error;
    await requireCurrentSchema({ connectionString, directory: MIGRATIONS_DIRECTORY });
    return connect(parts, request, { masterKey: await masterKeyOf(config), connectionString });
  }
}

/** The file of the master key when it is not configured. */
export function masterKeyPath(config: Config): string {
  return join(config.dataDir, MASTER_KEY_FILE);
}

/** A new key would open nothing of what the data folder holds, and would stand in the place of the old one. */
function refuseLostMasterKey(config: Config): void {
  const keyPath = masterKeyPath(config);
  if (config.masterKey !== null || existsSync(keyPath)) return;
  if (!existsSync(join(config.dataDir, 'postgres', 'PG_VERSION'))) return;
  throw new RefusedError(
    `the master key file ${keyPath} is gone, and the database beside it needs it: put it back, or choose another data folder.`,
  );
}

/** The configured master key, or the one in the data folder, which is made when there is none. */
export function masterKeyOf(config: Config): Promise<MasterKey> | MasterKey {
  if (config.masterKey !== null) return parseMasterKey(config.masterKey.reveal());
  return loadOrCreateMasterKey(masterKeyPath(config));
}

async function connect(
  parts: Parts,
  request: FoundationRequest,
  { masterKey, connectionString }: { readonly masterKey: MasterKey; readonly connectionString: string },
): Promise<Foundation> {
  const { config, logger, clock } = request;
  const access = await connectDatabase(parts, request, connectionString);
  const { db } = access;
  await checkMasterKey({ db, masterKey });
  const bus = await parts.start(
    { name: 'bus' },
    () => createBus(config, logger, clock),
    (started) => started.close(),
  );
  const vault = createVault({ db, masterKey, clock });
  return { ...access, bus, vault, masterKey, clock, logger, registry: new Registry() };
}

/** A pool that has the rights of the process the request names. */
async function connectDatabase(
  parts: Parts,
  { config, logger, command, process }: FoundationRequest,
  loginConnectionString: string,
): Promise<Pick<Foundation, 'db' | 'connectionString' | 'roleTaken' | 'loginConnectionString'>> {
  const { connectionString, role } =
    process === null
      ? { connectionString: loginConnectionString, role: null }
      : await takeProcessRole({ connectionString: loginConnectionString, process, logger });
  const db = await parts.start(
    { name: `database connections${process === null ? '' : ` of ${process}`}` },
    () =>
      createDatabase({
        connectionString,
        poolMax: config.database.poolMax,
        statementTimeoutMs: config.database.statementTimeoutMs,
        applicationName: `tallylight ${command} ${hostname()}`,
      }),
    (started) => started.destroy(),
  );
  return { db, connectionString, roleTaken: role !== null, loginConnectionString };
}

async function startPostgres(
  parts: Parts,
  { config, logger }: FoundationRequest,
): Promise<{ readonly connectionString: string; readonly failed: Promise<string> }> {
  const postgres = await parts.start(
    { name: 'embedded PostgreSQL', reservedMs: STOP_POSTGRES_MS },
    () => startEmbeddedPostgres({ dataDir: config.dataDir, logger }),
    (started) => started.stop(),
  );
  const failed = postgres.died.then(
    (how) => `the embedded PostgreSQL ended by itself (${how}): see postgres.log in the data folder.`,
  );
  return { connectionString: postgres.connectionString, failed };
}

async function createBus(config: Config, logger: Logger, clock: Clock): Promise<EventBus> {
  const { redisUrl, keyPrefix, groupPrefix, shards } = config.bus;
  if (redisUrl === null) {
    const streamEventsMax = config.bus.streamEventsMax ?? LOCAL_STREAM_EVENTS_MAX;
    return createInProcessBus({ clock, logger, streamEventsMax });
  }
  const streamEventsMax = config.bus.streamEventsMax ?? REDIS_STREAM_EVENTS_MAX;
  const url = redisUrl.reveal();
  const tls = redisTlsOf(config);
  try {
    return await createRedisBus({ url, tls, keyPrefix, groupPrefix, shards, streamEventsMax, clock, logger });
  } catch (error) {
    if (!(error instanceof DependencyError)) throw error;
    throw new DependencyError(
      `${error.message} (${redisHosts(url)}): check that Redis runs there and that REDIS_URL has the right address, user and password.`,
      { dependency: 'redis', retryable: error.retryable, cause: error },
    );
  }
}

/** The hosts in the URLs, without users and passwords. */
function redisHosts(urls: string): string {
  return urls
    .split(',')
    .map((url) => URL.parse(url.trim())?.host ?? '?')
    .join(', ');
}

/** With an in-process bus a second process would see none of our events, and both would number them. */
async function lockDatabase(parts: Parts, connectionString: string): Promise<void> {
  const lock = await acquireProcessLock({ connectionString });
  if (lock === null) {
    throw new RefusedError(
      'another Tallylight without REDIS_URL already uses this database. Stop it first, or give both the same REDIS_URL.',
    );
  }
  await parts.start(
    { name: 'database lock' },
    () => lock,
    (held) => held.release(),
  );
}
