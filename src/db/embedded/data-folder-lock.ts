import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../errors/errors.ts';

const LOCK_FILE = 'tallylight.lock';
/** Tries to take the lock over from the dead; more than two only when several processes do so at once. */
const ATTEMPTS_MAX = 10;

/** Another Tallylight is working in the data folder. */
export class DataFolderInUseError extends UserError {
  override readonly name = 'DataFolderInUseError';
  readonly code = 'DATA_FOLDER_IN_USE';
}

/**
 * Claims the data folder for this process, by a file with our pid and start time. A lock whose process is gone (or
 * whose pid is now another process's) is taken over. Returns what gives the folder free again.
 * @throws DataFolderInUseError
 */
export async function lockDataFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const lockPath = path.join(folder, LOCK_FILE);
  const mine = `${process.pid} ${await startTime(process.pid)}\n`;
  const draft = `${lockPath}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      if (await linked(draft, lockPath)) return { release: () => rm(lockPath, { force: true }) };
      const holder = await readLock(lockPath);
      if (holder === undefined) continue; // given free this moment
      if (await isAlive(holder)) throw inUse(folder, holder);
      await setAside(lockPath, holder);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw inUse(folder, 'several processes');
}

function inUse(folder: string, holder: string): DataFolderInUseError {
  const who = /^\d+/.exec(holder)?.[0];
  return new DataFolderInUseError(
    `The data folder ${folder} is in use by another Tallylight${who === undefined ? '' : ` (process ${who})`}: stop that one first, or choose another folder.`,
  );
}

/** Removes a dead process's lock, unless somebody else has replaced it since it was read: then it is put back. */
async function setAside(lockPath: string, holder: string): Promise<void> {
  const aside = `${lockPath}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(lockPath, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== holder) await linked(aside, lockPath);
  await rm(aside);
}

/** Whether `to` was made, as another name of `from`. False when it exists. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readLock(lockPath: string): Promise<string | undefined> {
  try {
    return await readFile(lockPath, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function isAlive(holder: string): Promise<boolean> {
  const [pidText, started] = holder.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !processExists(pid)) return false;
  return (await startTime(pid)) === started;
}

/** Whether there is a process of that id, ours or not. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

/** When the process started, as Linux counts it; elsewhere `-`, and the pid alone must do. */
async function startTime(pid: number): Promise<string> {
  if (process.platform !== 'linux') return '-';
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: count fields from behind it. The start time is field 22, the name 2.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return 'gone';
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
