import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UserError } from '../../errors/errors.ts';
import { freePort } from '../../lib/free-port.ts';
import { type Account, spawnIdentity } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';

/** Longest wait for PostgreSQL to accept connections, recovery after a crash included, in milliseconds. */
const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 20;
/** After a request to stop at once (SIGINT): how long until the harder one (SIGQUIT), in milliseconds. */
const FAST_STOP_MS = 10_000;

/**
 * Settings for a PC that does other things as well. Durability is PostgreSQL's default: a committed event survives a
 * power cut (fsync and synchronous_commit on). Statements and row contents stay out of the log: they may name people.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  wal_compression: 'on',
  checkpoint_completion_target: '0.9',
  jit: 'off',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  timezone: 'UTC',
};

/** The embedded PostgreSQL did not start or could not be set up. */
export class EmbeddedPostgresError extends UserError {
  override readonly name = 'EmbeddedPostgresError';
  readonly code = 'EMBEDDED_POSTGRES_FAILED';
}

/** What it takes to run PostgreSQL on one data directory. */
export interface PostgresSite {
  readonly binaries: PostgresBinaries;
  readonly account: Account;
  readonly dataDirectory: string;
  /** Everything PostgreSQL says is appended here. */
  readonly logPath: string;
}

/** A PostgreSQL server process of ours. */
export interface PostgresProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the process is gone, for whatever reason, with how it ended. */
  readonly exited: Promise<string>;
  /** Ends all connections and stops, with everything written. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/**
 * Makes a data directory with one superuser, whose password is in the file `passwordPath` (readable by the account).
 * @throws EmbeddedPostgresError
 */
export async function initialiseCluster(
  site: PostgresSite,
  superuser: { readonly name: string; readonly passwordPath: string },
): Promise<void> {
  const args = [
    `--pgdata=${site.dataDirectory}`,
    `--username=${superuser.name}`,
    `--pwfile=${superuser.passwordPath}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Sorting of PostgreSQL's own, so that a new C library never leaves an index wrongly sorted.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ];
  try {
    await promisify(execFile)(site.binaries.initdb, args, { cwd: '/', ...spawnIdentity(site.account) });
  } catch (cause) {
    const stderr = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw new EmbeddedPostgresError(
      `The embedded database could not be made in ${site.dataDirectory}: ${stderr.split('\n').at(-1) || 'initdb failed'}.`,
      { cause },
    );
  }
}

/**
 * Starts PostgreSQL on a loopback port (a free one unless given) and resolves when it accepts connections.
 * In a session of its own, so that Ctrl-C in our terminal does not take it away before we are done with it; and with a
 * guard that stops it should we die without a chance to.
 * @throws EmbeddedPostgresError with the last line of its log.
 */
export async function startPostgres(site: PostgresSite, port?: number): Promise<PostgresProcess> {
  const chosenPort = port ?? (await freePort());
  const log = await open(site.logPath, 'a', 0o600);
  const logStart = (await log.stat()).size;
  const child = spawnServer(site, chosenPort, log);
  await log.close();
  const exited = ending(child);
  const guard = child.pid === undefined ? undefined : startGuard(site, child.pid);
  void exited.then(() => guard?.kill('SIGKILL'));
  const failure = await Promise.race([exited, ready(site, child)]);
  if (child.pid === undefined || failure !== READY) {
    await stopProcess(site, child, exited);
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL did not start (${await lastLogLine(site, logStart, failure)}): its log is ${site.logPath}.`,
    );
  }
  return { pid: child.pid, port: chosenPort, exited, stop: () => stopProcess(site, child, exited) };
}

/** What `postmaster.pid` says of the server on the directory, or of one that died; undefined: nothing. */
export async function readPostmaster(
  dataDirectory: string,
): Promise<{ readonly pid: number; readonly port: number; readonly isReady: boolean } | undefined> {
  const lines = await postmasterFile(dataDirectory);
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), isReady: lines[7]?.trim() === 'ready' };
}

function spawnServer(site: PostgresSite, port: number, log: FileHandle): ChildProcess {
  const settings = Object.entries({ ...SETTINGS, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  return spawn(site.binaries.postgres, ['-D', site.dataDirectory, ...settings], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    ...spawnIdentity(site.account),
  });
}

/**
 * A shell that waits for the end of our life (its standard input closes when we are gone, even by kill -9) and then
 * stops the server. Not on Windows: there the next start finds the server and stops it.
 */
function startGuard(site: PostgresSite, serverPid: number): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined;
  const guard = spawn(
    '/bin/sh',
    ['-c', 'while read -r _; do :; done; kill -INT "$1"', 'sh', String(serverPid)],
    {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      ...spawnIdentity(site.account),
    },
  );
  guard.on('error', () => undefined); // without a guard the next start still finds a server left behind
  guard.unref();
  return guard;
}

function ending(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
    );
  });
}

const READY = 'ready';

/** Resolves with READY when the server says so in `postmaster.pid` (its 8th line), else after the time-out with why not. */
async function ready(site: PostgresSite, child: ChildProcess): Promise<string> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) return 'it ended';
    const server = await readPostmaster(site.dataDirectory);
    if (server?.pid === child.pid && server?.isReady) return READY;
    await sleep(READY_POLL_MS);
  }
  return `not ready after ${READY_TIMEOUT_MS / 1000} s`;
}

async function postmasterFile(dataDirectory: string): Promise<readonly string[]> {
  const text = await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n');
}

async function stopProcess(site: PostgresSite, child: ChildProcess, exited: Promise<string>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (process.platform === 'win32') {
    // Windows knows no signals: pg_ctl speaks to the server in its own way.
    await promisify(execFile)(site.binaries.pgCtl, ['stop', '-D', site.dataDirectory, '-m', 'fast']).catch(
      () => undefined,
    );
  } else {
    child.kill('SIGINT');
  }
  const slow = setTimeout(() => child.kill('SIGQUIT'), FAST_STOP_MS);
  await exited;
  clearTimeout(slow);
}

async function lastLogLine(site: PostgresSite, from: number, fallback: string): Promise<string> {
  const log = await readFile(site.logPath).catch(() => Buffer.alloc(0));
  const lines = log.subarray(from).toString('utf8').trim().split('\n');
  const line = lines.findLast((text) => text.includes('FATAL')) ?? lines.at(-1);
  return line ? line.replace(/^.*?(FATAL|ERROR|LOG|HINT): +/, '') : fallback;
}
