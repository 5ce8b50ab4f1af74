import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { UserError } from '../../errors/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { type Account, canWrite, chooseAccount } from './account.ts';
import { findBinaries, type PostgresBinaries } from './binaries.ts';
import { lockDataFolder, processExists } from './data-folder-lock.ts';
import {
  EmbeddedPostgresError,
  initialiseCluster,
  type PostgresProcess,
  type PostgresSite,
  readPostmaster,
  startPostgres,
} from './process.ts';
import { DATABASE_NAME, dataDirectories, embeddedUrl, isPostgresOn, passwordPath } from './running.ts';

const LOG_FILE = 'postgres.log';
/** A log longer than this at a start is set aside as `postgres.log.1`, in place of the one before. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;
/** How long a server left behind by a Tallylight that was killed gets to stop, in milliseconds. */
const ORPHAN_STOP_MS = 15_000;
/** Somebody may take the port between our finding it free and PostgreSQL's binding it. */
const START_ATTEMPTS_MAX = 3;

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  readonly connectionString: string;
  /** Where the tables are: below the data folder, unless that is closed to the user PostgreSQL runs as. */
  readonly dataDirectory: string;
  /** Resolves, with how it ended, when the server is gone without having been told to stop. */
  readonly died: Promise<string>;
  /** Ends all connections, stops the server with everything written, and gives the data folder free. Idempotent. */
  stop(): Promise<void>;
}

/** The data folder was made by another major version of PostgreSQL. */
export class DataFolderVersionError extends UserError {
  override readonly name = 'DataFolderVersionError';
  readonly code = 'DATA_FOLDER_VERSION';
}

/**
 * Starts a PostgreSQL of our own on data kept in `<dataDir>/postgres`, made at the first start. It listens on a free
 * loopback port, with a random password kept in `<dataDir>/postgres.password` (0600). As root it runs as the user
 * `postgres` or `nobody`. It never outlives us for long, and a start after a crash recovers.
 * @throws DataFolderInUseError, DataFolderVersionError, EmbeddedPostgresError, EmbeddedPostgresMissingError, NoAccountError
 */
export async function startEmbeddedPostgres(options: {
  readonly dataDir: string;
  readonly logger: Logger;
}): Promise<EmbeddedPostgres> {
  const { logger } = options;
  const dataDir = path.resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockDataFolder(dataDir);
  try {
    const account = await chooseAccount();
    const binaries = await findBinaries(account, logger);
    const dataDirectory = await placeData(dataDir, account, logger);
    const site = { binaries, account, dataDirectory, logPath: path.join(dataDir, LOG_FILE) };
    await stopOrphan(site, logger);
    const password = await ensureCluster(site, dataDir, logger);
    await rotateLog(site.logPath);
    const server = await startOnFreePort(site);
    const connectionString = embeddedUrl({ password, port: server.port });
    await ensureDatabase(connectionString);
    logger.info({ port: server.port, dataDirectory, user: account?.name }, 'postgres.started');
    return handle({ server, connectionString, dataDirectory, logger, lock });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function handle(parts: {
  readonly server: PostgresProcess;
  readonly connectionString: string;
  readonly dataDirectory: string;
  readonly logger: Logger;
  readonly lock: { release(): Promise<void> };
}): EmbeddedPostgres {
  const { server, lock, logger } = parts;
  let stopping: Promise<void> | undefined;
  const died = new Promise<string>((resolve) => {
    void server.exited.then((how) => {
      if (stopping !== undefined) return;
      logger.error({ how }, 'postgres.died');
      resolve(how);
    });
  });
  const stopOnce = async (): Promise<void> => {
    await server.stop();
    await lock.release();
  };
  return {
    connectionString: parts.connectionString,
    dataDirectory: parts.dataDirectory,
    died,
    stop: () => {
      stopping ??= stopOnce();
      return stopping;
    },
  };
}

/** Chooses where the tables live: below the data folder, or (root only) where the PostgreSQL user can reach. */
async function placeData(dataDir: string, account: Account, logger: Logger): Promise<string> {
  const { here: wanted, elsewhere } = dataDirectories(dataDir);
  if (account === null) return wanted;
  // Going through the folder is all the account may: names cannot be listed, and the files in it keep their own modes.
  await chmod(dataDir, 0o711);
  const probe = `${wanted}.reach`;
  await mkdir(probe, { recursive: true, mode: 0o700 });
  await chown(probe, account.uid, account.gid);
  const reachable = await canWrite(account, probe);
  await rm(probe, { recursive: true });
  const [here, there] = [await readVersion(wanted), await readVersion(elsewhere)];
  // Where the tables are is where they stay: a folder opened or closed since must not look like an empty database.
  if (reachable && (here !== undefined || there === undefined)) return wanted;
  if (here !== undefined) {
    throw new EmbeddedPostgresError(
      `The database in ${wanted} is out of reach for the user "${account.name}", whom PostgreSQL runs as: let that user pass through the folders above it.`,
    );
  }
  await mkdir(path.dirname(elsewhere), { recursive: true, mode: 0o711 });
  logger.warn({ dataDir, dataDirectory: elsewhere, user: account.name }, 'postgres.data_placed_elsewhere');
  return elsewhere;
}

/** Stops the server that a killed Tallylight left on our directory. The caller holds the data folder's lock. */
async function stopOrphan(site: PostgresSite, logger: Logger): Promise<void> {
  const server = await readPostmaster(site.dataDirectory);
  if (server === undefined) return;
  const { pid } = server;
  if (!(await isPostgresOn(pid, site.dataDirectory))) {
    // Nobody's, or by now another program's: PostgreSQL itself would refuse to start while that one lives.
    await rm(path.join(site.dataDirectory, 'postmaster.pid'), { force: true });
    return;
  }
  logger.warn({ pid }, 'postgres.orphan_found');
  const deadline = performance.now() + ORPHAN_STOP_MS;
  process.kill(pid, 'SIGINT');
  while (processExists(pid)) {
    if (performance.now() > deadline) {
      throw new EmbeddedPostgresError(
        `A PostgreSQL left over from an earlier run (process ${pid}) does not stop: end it, then start again.`,
      );
    }
    await sleep(20);
  }
}

/** The superuser's password; makes the cluster first when there is none. */
async function ensureCluster(site: PostgresSite, dataDir: string, logger: Logger): Promise<string> {
  const passwordFile = passwordPath(dataDir);
  const version = await readVersion(site.dataDirectory);
  if (version === undefined) {
    logger.info({ dataDirectory: site.dataDirectory }, 'postgres.initialising');
    return createCluster(site, passwordFile);
  }
  if (version !== site.binaries.majorVersion) throw versionError(site, version);
  try {
    return (await readFile(passwordFile, 'utf8')).trim();
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The password file ${passwordFile} of the embedded database is gone or cannot be read: put it back, or choose another data folder.`,
      { cause },
    );
  }
}

/** Made under another name and then renamed: a start that is killed half-way leaves nothing that looks finished. */
async function createCluster(site: PostgresSite, passwordFile: string): Promise<string> {
  const draft = { ...site, dataDirectory: `${site.dataDirectory}.new` };
  const draftPassword = `${site.dataDirectory}.password`;
  const password = randomBytes(24).toString('base64url');
  await rm(draft.dataDirectory, { recursive: true, force: true });
  await rm(draftPassword, { force: true });
  await mkdir(draft.dataDirectory, { mode: 0o700 });
  await writeFile(draftPassword, password, { mode: 0o600 });
  try {
    if (site.account !== null) {
      await chown(draft.dataDirectory, site.account.uid, site.account.gid);
      await chown(draftPassword, site.account.uid, site.account.gid);
    }
    await initialiseCluster(draft, { name: DATABASE_NAME, passwordPath: draftPassword });
  } finally {
    await rm(draftPassword, { force: true });
  }
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await rename(draft.dataDirectory, site.dataDirectory);
  return password;
}

async function readVersion(dataDirectory: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8'), 10);
  } catch {
    return undefined;
  }
}

function versionError(
  site: { binaries: PostgresBinaries; dataDirectory: string },
  found: number,
): DataFolderVersionError {
  return new DataFolderVersionError(
    `The database in ${site.dataDirectory} was made by PostgreSQL ${found}, and this Tallylight brings PostgreSQL ${site.binaries.majorVersion}: dump and restore it, or start the Tallylight that made it.`,
  );
}

async function rotateLog(logPath: string): Promise<void> {
  const size = await stat(logPath).then(
    (file) => file.size,
    () => 0,
  );
  if (size > LOG_BYTES_MAX) await rename(logPath, `${logPath}.1`);
}

async function startOnFreePort(site: PostgresSite): Promise<PostgresProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startPostgres(site);
    } catch (error) {
      const portTaken =
        error instanceof EmbeddedPostgresError &&
        error.message.includes('could not create any TCP/IP sockets');
      if (!portTaken || attempt === START_ATTEMPTS_MAX) throw error;
    }
  }
}

async function ensureDatabase(connectionString: string): Promise<void> {
  const url = new URL(connectionString);
  url.pathname = '/postgres';
  const client = new Client({ connectionString: url.toString() });
  client.on('error', () => undefined); // a broken connection fails the query below
  await client.connect();
  try {
    const existing = await client.query('/* findDatabase */ select from pg_database where datname = $1', [
      DATABASE_NAME,
    ]);
    if (existing.rowCount === 0) await client.query(`create database ${DATABASE_NAME}`);
  } finally {
    await client.end();
  }
}
