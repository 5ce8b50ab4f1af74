import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { SHARED_FOLDER } from './binaries.ts';
import { processExists } from './data-folder-lock.ts';
import { readPostmaster } from './process.ts';

/** The database and its superuser have our name. */
export const DATABASE_NAME = 'tallylight';
const PASSWORD_FILE = 'postgres.password';

/** Where the superuser's password is kept, readable by us alone. */
export function passwordPath(dataDir: string): string {
  return path.join(dataDir, PASSWORD_FILE);
}

/** Where the tables may be: below the data folder, or (when root's is closed to the user PostgreSQL runs as) elsewhere. */
export function dataDirectories(dataDir: string): { readonly here: string; readonly elsewhere: string } {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  return {
    here: path.join(dataDir, 'postgres'),
    elsewhere: path.join(SHARED_FOLDER, `data-${digest}`, 'postgres'),
  };
}

/** What connects to the embedded PostgreSQL on this port. */
export function embeddedUrl({
  password,
  port,
}: {
  readonly password: string;
  readonly port: number;
}): string {
  return `postgres://${DATABASE_NAME}:${password}@127.0.0.1:${port}/${DATABASE_NAME}`;
}

/**
 * What connects to the embedded PostgreSQL that another Tallylight runs on the data folder; undefined when none accepts connections.
 * Only who may read the password file finds it.
 */
export async function findRunningPostgres(folder: string): Promise<string | undefined> {
  const dataDir = path.resolve(folder);
  const { here, elsewhere } = dataDirectories(dataDir);
  for (const dataDirectory of [here, elsewhere]) {
    const server = await readPostmaster(dataDirectory);
    if (server === undefined || !server.isReady || !(await isPostgresOn(server.pid, dataDirectory))) continue;
    const password = (await readFile(passwordPath(dataDir), 'utf8')).trim();
    return embeddedUrl({ password, port: server.port });
  }
  return undefined;
}

/** Whether the process is a PostgreSQL on this directory, and not another that has got its id since. */
export async function isPostgresOn(pid: number, dataDirectory: string): Promise<boolean> {
  if (!processExists(pid)) return false;
  try {
    if (process.platform === 'linux') {
      const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
      return args.includes(dataDirectory);
    }
    if (process.platform === 'win32') return true; // there only postgres holds postmaster.pid of a folder we have locked
    const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]);
    return stdout.includes(dataDirectory);
  } catch {
    return false;
  }
}
