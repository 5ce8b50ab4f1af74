import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { UserError } from '../../errors/errors.ts';

/** Users that PostgreSQL is run as when we are root, in order of preference. `initdb` wants one with a passwd entry. */
const STAND_INS = ['postgres', 'nobody'] as const;

/** Who runs the embedded PostgreSQL: ourselves (null), or another user because PostgreSQL refuses to run as root. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number } | null;

/** We are root, and there is nobody else to run PostgreSQL as. */
export class NoAccountError extends UserError {
  override readonly name = 'NoAccountError';
  readonly code = 'EMBEDDED_POSTGRES_NO_ACCOUNT';
}

/**
 * The account to run PostgreSQL under.
 * @throws NoAccountError
 */
export async function chooseAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return null;
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of STAND_INS) {
    const entry = entries.find((fields) => fields[0] === name);
    const uid = Number(entry?.[2]);
    const gid = Number(entry?.[3]);
    if (entry !== undefined && Number.isInteger(uid) && Number.isInteger(gid)) return { name, uid, gid };
  }
  throw new NoAccountError(
    'PostgreSQL refuses to run as root, and this system has no user "postgres" or "nobody" to run it as: start Tallylight as an ordinary user, or set DATABASE_URL.',
  );
}

/**
 * What `spawn` and `execFile` need to run a program as the account. It gets an environment of its own: ours holds
 * secrets, which the account's other programs could read there, and PG* variables, which would change what it does.
 */
export function spawnIdentity(account: Account): { env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const env = { LC_ALL: 'C', TZ: 'UTC' };
  return account === null ? { env } : { env, uid: account.uid, gid: account.gid };
}

/** Whether the account can run the program (its folders, its file and its libraries are within its reach). */
export async function canRun(account: Account, program: string): Promise<boolean> {
  return succeeds(account, program, ['--version']);
}

/** Whether the account can write into the folder. Asked of the system itself, by trying as that user. */
export async function canWrite(account: Account, folder: string): Promise<boolean> {
  if (account === null) return true;
  return succeeds(account, '/bin/sh', ['-c', 'cd "$1" && test -w .', 'sh', folder]);
}

async function succeeds(account: Account, program: string, args: readonly string[]): Promise<boolean> {
  try {
    // From the root folder: our own working directory may be closed to the account.
    await promisify(execFile)(program, args, { cwd: '/', ...spawnIdentity(account) });
    return true;
  } catch {
    return false;
  }
}
