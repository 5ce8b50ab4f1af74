import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chooseAccount } from '../../../src/db/embedded/account.ts';
import { DataFolderInUseError, processExists } from '../../../src/db/embedded/data-folder-lock.ts';
import {
  DataFolderVersionError,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/db/embedded/postgres.ts';
import { EmbeddedPostgresError, readPostmaster } from '../../../src/db/embedded/process.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { waitFor } from '../../support/wait.ts';

const logger = createLogger('silent');
const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';

let folder: string;
let dataDir: string;
const running: { stop(): Promise<void> }[] = [];

/** A data folder after a first start: copying it takes a tenth of making it. */
let seed: string;

beforeAll(async () => {
  seed = await mkdtemp(path.join(tmpdir(), 'tallylight-seed-'));
  const first = await startEmbeddedPostgres({ dataDir: seed, logger });
  await first.stop();
});
afterAll(() => rm(seed, { recursive: true }));

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tallylight-embedded-'));
  await chmod(folder, 0o755);
  dataDir = path.join(folder, 'data');
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, logger });
  running.push(postgres);
  return postgres;
}

/** Gives the test a data folder that has seen its first start. */
async function useSeed(): Promise<void> {
  await promisify(execFile)('cp', ['-a', seed, dataDir]);
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

const postmasterPid = async () => (await readPostmaster(path.join(dataDir, 'postgres')))?.pid;

/** A process of its own that starts PostgreSQL and then does nothing, whatever terminal signal it gets. */
class Holder {
  readonly child: ChildProcess;
  readonly url: Promise<string>;

  constructor(options: { uid?: number; gid?: number } = {}) {
    const source = path.resolve(import.meta.dirname, '../../../src');
    const script = `
      import { startEmbeddedPostgres } from ${JSON.stringify(path.join(source, 'db/embedded/postgres.ts'))};
      import { createLogger } from ${JSON.stringify(path.join(source, 'lib/logger.ts'))};
      process.on('SIGINT', () => process.stdout.write('interrupted\\n'));
      const { connectionString, stop } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, logger: createLogger('silent') });
      process.stdout.write(connectionString + '\\n');
      process.stdin.on('data', async () => { await stop(); process.exit(0); });`;
    this.child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: '/',
      detached: true, // a process group of its own, as in a terminal
      stdio: ['pipe', 'pipe', 'inherit'],
      ...options,
    });
    this.url = this.line();
    running.push({ stop: () => this.kill() });
  }

  async line(): Promise<string> {
    if (this.child.stdout === null) throw new Error('the holder has no output');
    const [chunk] = await once(this.child.stdout, 'data');
    return String(chunk).trim();
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the holder did not start');
    return this.child.pid;
  }
}

describe('the embedded PostgreSQL', () => {
  it('keeps its data from one start to the next, durably, on loopback, behind a password', async () => {
    const first = await start();
    await query(first.connectionString, 'create table kept as select 42 as answer');
    const settings = `select name, setting from pg_settings where name in
      ('fsync', 'full_page_writes', 'listen_addresses', 'synchronous_commit', 'unix_socket_directories') order by name`;
    expect(await query(first.connectionString, settings)).toEqual([
      ['fsync', 'on'],
      ['full_page_writes', 'on'],
      ['listen_addresses', '127.0.0.1'],
      ['synchronous_commit', 'on'],
      ['unix_socket_directories', ''],
    ]);
    const url = new URL(first.connectionString);
    url.password = 'guess';
    await expect(query(url.toString(), 'select 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(path.join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600);

    const stoppedAt = performance.now();
    await first.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(2_000);
    expect(await postmasterPid()).toBeUndefined();
    const second = await start();
    expect(await query(second.connectionString, 'select answer from kept')).toEqual([[42]]);
    const left = (await readdir(dataDir)).sort();
    expect(left).toEqual(['postgres', 'postgres.log', 'postgres.password', 'tallylight.lock']);
  });

  it('[T-I1] writes neither statements nor row contents to its log', async () => {
    await useSeed();
    const postgres = await start();
    await query(postgres.connectionString, "create table t (name text check (name <> 'canary-row'))");
    await expect(query(postgres.connectionString, "insert into t values ('canary-row')")).rejects.toThrow();
    await postgres.stop();
    const log = await readFile(path.join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toContain('violates check constraint');
    expect(log).not.toContain('canary');
  });

  it('stops although clients are connected, and tells nobody it died', async () => {
    await useSeed();
    const postgres = await start();
    const client = new Client({ connectionString: postgres.connectionString });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('begin');
    const stoppedAt = performance.now();
    await Promise.all([postgres.stop(), postgres.stop()]);
    expect(performance.now() - stoppedAt).toBeLessThan(2_000);
    const died = await Promise.race([postgres.died, Promise.resolve('not told')]);
    expect(died).toBe('not told');
  });

  it('tells when it died without being told to stop', async () => {
    await useSeed();
    const postgres = await start();
    process.kill((await postmasterPid()) ?? 0, 'SIGQUIT');
    expect(await postgres.died).toMatch(/^it (ended|was ended)/);
  });

  it('refuses a second start on the folder while the first lives, in one sentence', async () => {
    await useSeed();
    const first = await start();
    await expect(start()).rejects.toThrow(
      new DataFolderInUseError(
        `The data folder ${dataDir} is in use by another Tallylight (process ${process.pid}): stop that one first, or choose another folder.`,
      ),
    );
    expect(await query(first.connectionString, 'select 1')).toEqual([[1]]);
  });

  it('lets exactly one of five starts at once have the folder', async () => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => start()));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(failures).toHaveLength(4);
    for (const failure of failures) expect(failure).toBeInstanceOf(DataFolderInUseError);
  });

  it('refuses a folder of another major version, and leaves it alone', async () => {
    await useSeed();
    const file = path.join(dataDir, 'postgres', 'PG_VERSION');
    const version = Number(await readFile(file, 'utf8'));
    await writeFile(file, '14\n');
    await expect(start()).rejects.toThrow(
      new DataFolderVersionError(
        `The database in ${path.join(dataDir, 'postgres')} was made by PostgreSQL 14, and this Tallylight brings PostgreSQL ${version}: dump and restore it, or start the Tallylight that made it.`,
      ),
    );
    await writeFile(file, `${version}\n`);
    await start(); // and the refusal gave the folder free
  });

  it('says so when its password file is gone', async () => {
    await useSeed();
    await rm(path.join(dataDir, 'postgres.password'));
    await expect(start()).rejects.toThrow(EmbeddedPostgresError);
  });

  it('begins anew where an earlier first start was cut off', async () => {
    await mkdir(path.join(dataDir, 'postgres.new'), { recursive: true });
    await writeFile(path.join(dataDir, 'postgres.new', 'PG_VERSION'), '18');
    const postgres = await start();
    expect(await query(postgres.connectionString, 'select 1')).toEqual([[1]]);
  });

  it('takes over the lock of a process that is gone, also when its pid is another’s now', async () => {
    await useSeed();
    await writeFile(path.join(dataDir, 'tallylight.lock'), `${process.ppid} 12345\n`);
    const postgres = await start();
    expect(await query(postgres.connectionString, 'select 1')).toEqual([[1]]);
  });

  it('does not mind a postmaster.pid whose process is another program now', async () => {
    await useSeed();
    await writeFile(path.join(dataDir, 'postgres', 'postmaster.pid'), `${process.ppid}\n`);
    const postgres = await start();
    expect(await query(postgres.connectionString, 'select 1')).toEqual([[1]]);
    expect(processExists(process.ppid)).toBe(true);
  });
});

describe.skipIf(!isLinux)('when the process that started it', () => {
  it('is killed (kill -9), PostgreSQL stops by itself and the next start finds everything', async () => {
    await useSeed();
    const holder = new Holder();
    await query(await holder.url, 'create table kept as select 42 as answer');
    const pid = (await postmasterPid()) ?? 0;
    await holder.kill();
    await waitFor(() => !processExists(pid), { message: 'PostgreSQL to stop' });
    const next = await start();
    expect(await query(next.connectionString, 'select answer from kept')).toEqual([[42]]);
  });

  it('is killed together with its guard, the next start stops the server left behind', async () => {
    await useSeed();
    const holder = new Holder();
    await query(await holder.url, 'create table kept as select 42 as answer');
    const orphan = (await postmasterPid()) ?? 0;
    const guard = await findGuard(orphan);
    process.kill(guard, 'SIGKILL');
    await waitFor(() => !processExists(guard));
    await holder.kill();
    expect(processExists(orphan)).toBe(true);
    const next = await start();
    expect(processExists(orphan)).toBe(false);
    expect(await query(next.connectionString, 'select answer from kept')).toEqual([[42]]);
  });

  it('gets Ctrl-C, PostgreSQL goes on until it is told to stop', async () => {
    await useSeed();
    const holder = new Holder();
    const url = await holder.url;
    const interrupted = holder.line();
    process.kill(-holder.pid, 'SIGINT'); // the whole group, as a terminal does
    expect(await interrupted).toBe('interrupted');
    expect(await query(url, 'select 1')).toEqual([[1]]);
    const exited = once(holder.child, 'exit');
    holder.child.stdin?.write('stop');
    expect(await exited).toEqual([0, null]);
    expect(await postmasterPid()).toBeUndefined();
  });
});

describe.skipIf(!isRoot)('as root', () => {
  it('PostgreSQL runs as another user, who can read neither password nor secrets of ours', async () => {
    await useSeed();
    await start();
    const pid = (await postmasterPid()) ?? 0;
    const account = await chooseAccount();
    expect((await stat(`/proc/${pid}`)).uid).toBe(account?.uid);
    expect((await stat(path.join(dataDir, 'postgres.password'))).uid).toBe(0);
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    expect(environment.split('\0').map((entry) => entry.split('=')[0])).not.toContain('PATH');
  });

  it('a data folder below one that is closed to that user works: the tables are placed elsewhere', async () => {
    await chmod(folder, 0o700);
    const first = await start();
    await query(first.connectionString, 'create table kept as select 42 as answer');
    expect(first.dataDirectory).toMatch(/^\/var\/lib\/tallylight\/data-[0-9a-f]{12}\/postgres$/);
    await first.stop();
    await chmod(folder, 0o755); // and there they stay, also when the folder is opened later
    const second = await start();
    expect(await query(second.connectionString, 'select answer from kept')).toEqual([[42]]);
    await second.stop();
    await rm(path.dirname(first.dataDirectory), { recursive: true });
  });

  it('a data folder that was closed to that user since is refused, not begun anew', async () => {
    await useSeed();
    await chmod(folder, 0o700);
    await expect(start()).rejects.toThrow(
      /^The database in \S+ is out of reach for the user "\w+", whom PostgreSQL runs as: /,
    );
    await chmod(folder, 0o755);
    expect(await query((await start()).connectionString, 'select 1')).toEqual([[1]]);
  });

  it('a plain user can start it as well', async () => {
    await mkdir(dataDir);
    await chown(dataDir, 65_534, 65_534);
    const holder = new Holder({ uid: 65_534, gid: 65_534 });
    expect(await query(await holder.url, 'select 1')).toEqual([[1]]);
    expect((await stat(path.join(dataDir, 'postgres'))).uid).toBe(65_534);
    const exited = once(holder.child, 'exit');
    holder.child.stdin?.write('stop');
    expect(await exited).toEqual([0, null]);
  });
});

/** The shell that watches over the server of that pid. */
async function findGuard(serverPid: number): Promise<number> {
  for (const entry of await readdir('/proc')) {
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('while read') && line.split('\0').includes(String(serverPid))) return Number(entry);
  }
  throw new Error('the server has no guard');
}
