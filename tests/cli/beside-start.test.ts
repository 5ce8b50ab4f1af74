import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operationHash } from '../../src/clients/operation.ts';
import { findRunningPostgres } from '../../src/db/embedded/running.ts';
import { assert } from '../../src/lib/assert.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { GOOD_PASSWORD } from '../auth/accounts/support.ts';
import { run, type TallylightProcess, tallylight } from '../support/tallylight-process.ts';

// The commands as somebody types them while Tallylight runs: processes of their own, on its embedded database.
describe('beside a running `tallylight start`', { timeout: 120_000 }, () => {
  let dataDir: string;
  let started: TallylightProcess;
  let client: Client;
  let url: string;
  const env = () => ({ TALLYLIGHT_DATA_DIR: dataDir });
  beforeAll(async () => {
    dataDir = await mkdtemp(path.join(tmpdir(), 'tallylight-beside-'));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    started = tallylight(['start'], { ...env(), TALLYLIGHT_PORT: String(port) });
    await started.seen(/Stop with Ctrl-C/);
    const connectionString = await findRunningPostgres(dataDir);
    assert(connectionString !== undefined, 'its database runs');
    client = new Client({ connectionString });
    await client.connect();
  }, 120_000);
  afterAll(async () => {
    await client.end();
    await started.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('keys rotate lets another key sign [T-S2]', async () => {
    const signing = async () =>
      (await client.query("select kid from signing_key where state = 'ACTIVE'")).rows[0]?.kid;
    const before = await signing();
    const { code, stdout, stderr } = await run(['keys', 'rotate'], env());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`signs now        ${await signing()}`);
    expect(await signing()).not.toBe(before);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('setup-code prints a code that the running one takes, and none once there is an administrator [T-E5]', async () => {
    const first = await run(['setup-code'], env());
    const { code, stdout, stderr } = await run(['setup-code'], env());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const signUp = async (setupCode: string) => {
      const document = await readFile('web/console/operations/SignUp.graphql', 'utf8');
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1' },
        body: JSON.stringify({
          documentId: `sha256:${operationHash(document)}`,
          variables: { input: { email: 'first@example.test', password: GOOD_PASSWORD, setupCode } },
        }),
      });
      return (await response.json()).data.signUp.__typename;
    };
    // Each takes the place of the one before.
    expect(await signUp(first.stdout.trim())).toBe('TokenInvalidError');
    expect(await signUp(stdout.trim())).toBe('SignUpPayload');
    const late = await run(['setup-code'], env());
    expect(late.code).not.toBe(0);
    expect(late.stderr).toContain('there is an administrator already');
  });

  it('audit verify and audit export tell what was done, and verify who tampered with it [T-R1]', async () => {
    const verified = await run(['audit', 'verify'], env());
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    const [, last = '', hash = ''] =
      /^intact: \d+ entries, the last is (\d+):([0-9a-f]{64})$/m.exec(verified.stdout) ?? [];
    const exported = await run(['audit', 'export'], env());
    expect(exported.code).toBe(0);
    const lines = exported.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(Number(last));
    expect(lines.at(-1)).toMatchObject({ action: 'signUp', outcome: 'DONE', hash });
    expect(exported.stdout).not.toContain('first@example.test');
    expect(await run(['audit', 'verify', '--noted', `${last}:${hash}`], env())).toMatchObject({ code: 0 });

    // Who owns the database can get around its triggers.
    const tamper = async (statement: string) => {
      await client.query('alter table audit_entry disable trigger user');
      await client.query(statement);
      await client.query('alter table audit_entry enable trigger user');
    };
    await tamper(`update audit_entry set outcome = 'REFUSED' where sequence = ${last}`);
    const broken = await run(['audit', 'verify'], env());
    expect(broken).toMatchObject({ code: 1, stdout: `broken: entry ${last} was changed\n` });
    await tamper(`update audit_entry set outcome = 'DONE' where sequence = ${last}`);
    expect(await run(['audit', 'verify'], env())).toMatchObject({ code: 0 });
    await tamper(`delete from audit_entry where sequence = 1`);
    const missing = await run(['audit', 'verify'], env());
    expect(missing).toMatchObject({ code: 1, stdout: 'broken: entry 1 is missing\n' });
    const noted = await run(['audit', 'verify', '--noted', 'nonsense'], env());
    expect(noted.code).toBe(2);
  });

  it('still refuses to start twice on one data folder', async () => {
    const { code, stderr } = await run(['start'], { ...env(), TALLYLIGHT_PORT: '0' });
    expect(code).not.toBe(0);
    expect(stderr).toContain('is in use by another Tallylight');
  });
});
