import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Terminal } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { testDatabaseUrl, testRedisUrl } from '../support/servers.ts';
import { createEmptyDatabase } from '../support/template.ts';

const COMMANDS = [
  'start',
  'api',
  'ingest',
  'worker',
  'migrate',
  'keys',
  'audit',
  'operations',
  'replay',
  'simulate',
  'doctor',
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tallylight-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a person gets to see for a command line, run in this process. */
async function typed(args: readonly string[], env: Record<string, string> = {}, signal?: AbortSignal) {
  const out: string[] = [];
  const notes: string[] = [];
  const terminal: Terminal = {
    args,
    env: { TALLYLIGHT_DATA_DIR: join(folder, 'data'), TALLYLIGHT_LOG_LEVEL: 'silent', ...env },
    print: (line) => out.push(line),
    note: (line) => notes.push(line),
    stopRequested: signal ?? new AbortController().signal,
    onReload: () => () => undefined,
  };
  const code = await runCommandLine(terminal);
  return { code, out: out.join('\n'), notes: notes.join('\n') };
}

describe('the command line', () => {
  it('lists its commands, and says that a missing one is a mistake', async () => {
    const help = await typed(['--help']);
    expect(help.code).toBe(0);
    for (const name of COMMANDS) expect(help.out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(await typed([])).toEqual({ ...help, code: 2 });
  });

  it.each(COMMANDS)('explains %s with usage, options, examples and exit codes', async (name) => {
    const { code, out } = await typed([name, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: tallylight ${name}`));
    for (const part of ['Options:', 'Examples:', 'Exit codes:']) expect(out).toContain(part);
  });

  it('names its version', async () => {
    expect(await typed(['--version'])).toEqual({ code: 0, out: '0.1.0', notes: '' });
  });

  it.each([
    [['strat'], 'there is no command "strat".'],
    [['doctor', '--chanel', 'x'], "Unknown option '--chanel'"],
    [['simulate', '--port'], "Option '--port <value>' argument missing"],
    [['migrate', 'now'], '`tallylight migrate` does not know what to do with "now".'],
    [['replay'], 'name either a session, or --file and --channel.'],
    [['replay', 'abc'], '"abc" is not a session\'s id'],
    [['replay', `ses_${'0'.repeat(32)}`, '--speed', 'fast'], '--speed is "fast": it must be a number'],
    [['simulate', '--rate', '-5'], '--rate needs a value.'],
    [['start', '@!'], 'A TikTok handle has 2 to 24'],
    [['start', '--scenario', 'calm'], '--scenario has "calm": it must be one of'],
    [['api'], '`tallylight api` works together with other processes and needs DATABASE_URL and REDIS_URL.'],
    [
      ['worker'],
      '`tallylight worker` works together with other processes and needs DATABASE_URL and REDIS_URL.',
    ],
    [
      ['ingest'],
      '`tallylight ingest` works together with other processes and needs DATABASE_URL and REDIS_URL.',
    ],
  ])('answers %j with one sentence and 2', async (args, sentence) => {
    const { code, out, notes } = await typed(args);
    expect(notes).toContain(`tallylight: ${sentence}`);
    expect(notes.split('\n')).toHaveLength(1);
    expect([code, out]).toEqual([2, '']);
  });

  it('tells all problems of the configuration at once, and 2', async () => {
    const { code, notes } = await typed(['migrate'], { TALLYLIGHT_PORT: 'x', TIKTOK_PROVIDER: 'y' });
    expect(code).toBe(2);
    expect(notes.split('\n')).toEqual([
      'tallylight: the configuration has 2 problems:',
      '  TALLYLIGHT_PORT is "x": it must be a whole number from 0 to 65535',
      '  TIKTOK_PROVIDER is "y": it must be one of direct, euler',
    ]);
  });

  it('warns of a variable that means nothing, and goes on', async () => {
    const { code, notes } = await typed(['doctor'], { TALLYLIGHT_PROT: '1' });
    expect(code).toBe(1);
    expect(notes).toBe(
      'tallylight: TALLYLIGHT_PROT is set but means nothing to this version: see docs/configuration.md.',
    );
  });

  it('says when nothing listens at the address of the database, and 1', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const address = closed.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => closed.close(resolve));
    const { code, notes } = await typed(['migrate'], {
      DATABASE_URL: `postgres://somebody:password@127.0.0.1:${port}/x`,
    });
    expect(code).toBe(1);
    expect(notes).toContain(`127.0.0.1:${port}`);
    expect(notes).not.toContain('password');
    expect(notes.split('\n')).toHaveLength(1);
  });

  it('refuses a data folder it cannot use, at once and in one sentence, with 3', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const unusable = [
      [file, 'a file is in its place'],
      [join(file, 'below'), 'a file is in its place'],
      ...(process.platform === 'linux' ? [['/proc/tallylight', 'no folder can be made there']] : []),
    ];
    for (const [path = '', why = ''] of unusable) {
      const { code, notes } = await typed(['migrate'], { TALLYLIGHT_DATA_DIR: path });
      expect([code, notes]).toEqual([
        3,
        `tallylight: the data folder ${path} cannot be used: ${why}. Choose another one with TALLYLIGHT_DATA_DIR.`,
      ]);
    }
  });

  it('makes no new master key in the place of one that a database needs, and 3', async () => {
    const dataDir = join(folder, 'keyless');
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '18\n');
    const { code, notes } = await typed(['start'], { TALLYLIGHT_DATA_DIR: dataDir });
    expect(code).toBe(3);
    expect(notes).toMatch(/\ntallylight: the master key file .*keyless.master\.key is gone, .*put it back/);
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  it('refuses a damaged master key and a sign service in the clear, before it starts anything, with 2', async () => {
    const dataDir = join(folder, 'damaged');
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'master.key'), 'AAAA\n', { mode: 0o600 });
    const damaged = await typed(['start'], { TALLYLIGHT_DATA_DIR: dataDir });
    expect([damaged.code, damaged.notes]).toEqual([
      2,
      `Tallylight is starting …\ntallylight: The master key in ${join(dataDir, 'master.key')} has 3 bytes: it must be 32 random bytes in base64.`,
    ]);
    const clear = await typed(['start', '@somebody'], { TIKTOK_SIGN_URL: 'http://sign.example' });
    expect(clear.code).toBe(2);
    expect(clear.notes.split('\n')).toEqual([
      'Tallylight is starting …',
      "tallylight: The sign server's address must start with https://, not http://.",
    ]);
  });

  it('says when the simulator cannot have its port, and 3', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const result = await typed(['simulate', '--port', `${port}`]);
    taken.close();
    expect(result).toEqual({
      code: 3,
      out: '',
      notes: `tallylight: port ${port} is taken by another program: stop it, or choose another port.`,
    });
  });

  it('runs the simulator until it is told to stop, and says how to point at it', async () => {
    const stop = new AbortController();
    const running = typed(['simulate', '--handle', 'one,two'], {}, stop.signal);
    stop.abort();
    const { code, out } = await running;
    expect(code).toBe(0);
    expect(out).toMatch(/Live: @one, @two\./);
    expect(out).toMatch(/TIKTOK_WEB_HOST=127\.0\.0\.1:\d+/);
  });

  it('tells doctor that nothing was ever started, and 1', async () => {
    const { code, out } = await typed(['doctor']);
    expect(code).toBe(1);
    expect(out).toContain('there is no master key');
  });
});

describe('a server that is not as configured', () => {
  it('is named: a missing database, no Redis, a schema from the future', async () => {
    await using empty = await createEmptyDatabase(testDatabaseUrl());
    const missing = await typed(['migrate'], { DATABASE_URL: `${empty.url}_missing` });
    expect([missing.code, missing.notes]).toEqual([1, expect.stringContaining('has no database "')]);

    const env = { DATABASE_URL: empty.url, REDIS_URL: 'redis://:secret@127.0.0.1:1' };
    expect((await typed(['migrate'], env)).code).toBe(0);
    const redis = await typed(['worker'], env);
    expect([redis.code, redis.notes]).toEqual([
      1,
      'tallylight: Redis is out of reach (127.0.0.1:1): check that Redis runs there and that REDIS_URL has the right address, user and password.',
    ]);

    const client = new Client({ connectionString: empty.url });
    await client.connect();
    await client.query(`insert into schema_migration (name, checksum) select '9999_future.sql', checksum
      from schema_migration limit 1`);
    await client.end();
    for (const command of ['migrate', 'api', 'start']) {
      const { code, notes } = await typed([command], env);
      expect([command, code]).toEqual([command, 3]);
      expect(notes).toContain('9999_future.sql');
      expect(notes).not.toContain('    at ');
    }
  });
});

describe('tallylight migrate', () => {
  it('migrates an empty database, finds it current after that, and processes refuse an old one', async () => {
    await using empty = await createEmptyDatabase(testDatabaseUrl());
    const env = { DATABASE_URL: empty.url, REDIS_URL: testRedisUrl() ?? 'redis://127.0.0.1:1' };
    for (const command of ['api', 'ingest', 'worker']) {
      const { code, notes } = await typed([command], env);
      expect([command, code]).toEqual([command, 3]);
      expect(notes).toContain('run `tallylight migrate` first');
    }
    const first = await typed(['migrate'], env);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^applied 0001_init\.sql\n[\s\S]*\d+ applied\.$/);
    expect(await typed(['migrate'], env)).toEqual({ code: 0, out: 'The database is current.', notes: '' });
  });

  it('names the one process that may use a database without Redis', async () => {
    await using empty = await createEmptyDatabase(testDatabaseUrl());
    const holder = new Client({ connectionString: empty.url });
    await holder.connect();
    await holder.query('select pg_advisory_lock($1)', [7_105_291_005]);
    const { code, notes } = await typed(['start'], { DATABASE_URL: empty.url });
    await holder.end();
    expect(code).toBe(3);
    expect(notes).toContain('another Tallylight without REDIS_URL already uses this database.');
  });
});

describe('tallylight replay', () => {
  it('refuses a session that does not exist, and a file of a channel that does not, with 3', async () => {
    await using empty = await createEmptyDatabase(testDatabaseUrl());
    const env = { DATABASE_URL: empty.url, TALLYLIGHT_PORT: '1' };
    const session = await typed(['replay', `ses_${'0'.repeat(32)}`], env);
    expect([session.code, session.notes]).toEqual([
      3,
      `tallylight: There is no session ses_${'0'.repeat(32)}.`,
    ]);
    const path = join(folder, 'file.ndjson');
    await writeFile(path, 'not json\n');
    const file = await typed(['replay', '--file', path, '--channel', '@nobody'], env);
    expect([file.code, file.notes]).toEqual([3, 'tallylight: there is no channel @nobody.']);

    const client = new Client({ connectionString: empty.url });
    await client.connect();
    await client.query(
      `insert into channel (id, provider, handle) values (gen_random_uuid(), 'TIKTOK', 'somebody')`,
    );
    const broken = await typed(['replay', '--file', path, '--channel', '@somebody'], env);
    expect([broken.code, broken.notes]).toEqual([
      3,
      'tallylight: Line 1 of the fixture is no message: it is not a JSON object.',
    ]);
    const none = await typed(['replay', '--file', `${path}.gone`, '--channel', '@somebody'], env);
    expect([none.code, none.notes]).toEqual([3, `tallylight: The fixture ${path}.gone cannot be read.`]);
    const stored = await client.query('select from stream');
    await client.end();
    expect(stored.rowCount).toBe(0);
  });
});
