import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

/** Starting may take this long on a busy machine, in milliseconds; on a free one it is some 3 s. */
const START_MS = 60_000;

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tallylight-start-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const env = () => ({ TALLYLIGHT_DATA_DIR: dataDir, TALLYLIGHT_PORT: '0' });

async function ask(url: string, key: string, query: string) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query }),
  });
  return response.json();
}

async function running(pid: number): Promise<boolean> {
  try {
    return !(await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') Z ');
  } catch {
    return false;
  }
}

// In this order: they share the data folder, whose first start takes longest.
describe('tallylight start, under plain node, with no servers', { timeout: 120_000 }, () => {
  it('brings everything, prints each address and key once, stores events, and leaves nothing behind', async () => {
    await using first = tallylight(['start', '--scenario', 'busy'], env());
    await first.seen(/Stop with Ctrl-C/, START_MS);
    const list = first.stdout();
    const overlay =
      /^ {2}Overlay @simulated \(simulated\) +(http:\S+\/overlay\/)#channel=chn_\w{32}&key=tlo_\S{43}$/m.exec(
        list,
      );
    const graphql = /^ {2}GraphQL +(http:\/\/127\.0\.0\.1:\d+\/graphql)$/m.exec(list)?.[1] ?? '';
    const key = /^ {2}Operator key +(tlk_\S{43})$/m.exec(list)?.[1] ?? '';
    const health = /^ {2}Health +(http:\S+\/healthz)$/m.exec(list)?.[1] ?? '';
    expect(list).toContain(dataDir);
    expect((await fetch(overlay?.[1] ?? '')).status).toBe(200);
    expect((await fetch(health)).status).toBe(200);
    expect((await fetch(health.replace('healthz', 'readyz'))).status).toBe(200);

    const stored = await waitFor(
      async () => {
        const answer = await ask(
          graphql,
          key,
          '{ channels(first: 1) { edges { node { handle currentStream { simulated } events(first: 5, filter: { types: [CHAT] }) { edges { node { __typename } } } } } } }',
        );
        const channel = answer.data?.channels.edges[0]?.node;
        return channel?.events.edges.length > 0 ? channel : null;
      },
      { timeoutMs: START_MS, message: 'stored chat' },
    );
    expect(stored).toMatchObject({ handle: 'simulated', currentStream: { simulated: true } });

    const postmaster = Number(
      (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '0')).split('\n')[0],
    );
    const second = await run(['start'], env());
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(/tallylight: .*in use/i);

    const port = new URL(graphql).port;
    const doctor = await run(['doctor'], { ...env(), TALLYLIGHT_PORT: port });
    expect(doctor.stdout).toContain('OK    room');
    expect(doctor.stdout).toContain('OK    storage');
    expect(doctor.code).toBe(0);

    const stoppedAt = performance.now();
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(first.stderr()).not.toContain('did not stop in time');
    if (postmaster > 0) expect(await running(postmaster)).toBe(false);
  });

  it('shows the same keys and keeps its data at the next start', async () => {
    const before = await readdir(dataDir);
    await using again = tallylight(['start'], env());
    await again.seen(/Stop with Ctrl-C/, START_MS);
    const graphql = /^ {2}GraphQL +(\S+)$/m.exec(again.stdout())?.[1] ?? '';
    const key = /^ {2}Operator key +(tlk_\S{43})$/m.exec(again.stdout())?.[1] ?? '';
    const answer = await ask(graphql, key, '{ channels(first: 5) { edges { node { handle } } } }');
    expect(answer).toMatchObject({ data: { channels: { edges: [{ node: { handle: 'simulated' } }] } } });
    expect(before).toContain('master.key');
    again.child.kill('SIGINT');
    expect(await again.ended).toBe(0);
  });

  it('says in one sentence that its port is taken, stops what it had begun, and ends with 3', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const refused = await run(['start'], { ...env(), TALLYLIGHT_PORT: `${port}` });
    taken.close();
    expect(refused.code).toBe(3);
    expect(refused.stderr.trim().split('\n')).toEqual([
      'Tallylight is starting …',
      expect.stringMatching(new RegExp(`^tallylight: .*${port}`)),
    ]);
  });

  it('takes two signals at once for one request, and stops cleanly', async () => {
    await using process = tallylight(['start'], env());
    await process.seen(/Stop with Ctrl-C/, START_MS);
    process.child.kill('SIGINT');
    process.child.kill('SIGINT');
    expect(await process.ended).toBe(0);
    expect(process.stderr()).not.toContain('did not stop in time');
  });

  it('stops by itself when npm, which started it, was stopped', async () => {
    const { PATH = '', HOME = '' } = process.env;
    const npm = spawn('npm', ['start', '--silent'], {
      env: { PATH, HOME, ...env() },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let printed = '';
    npm.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    await waitFor(() => printed.includes('Stop with Ctrl-C'), { timeoutMs: START_MS, message: 'npm start' });
    npm.kill('SIGTERM');
    // The lock of the data folder is free again once nothing of it runs any more.
    await waitFor(async () => !(await readdir(dataDir)).some((name) => name.endsWith('.lock')), {
      timeoutMs: 10_000,
      message: 'everything to stop',
    });
  });

  it('names the Node it needs to an older one', async () => {
    const pretend =
      'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"22.18.0"}})';
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', pretend, 'src/main.ts', '--version'],
      {
        encoding: 'utf8',
      },
    );
    expect(status).toBe(2);
    expect(stderr).toBe(
      'Tallylight needs Node 24 and this is 22.18.0: start it with npm (npm start, npm run tallylight), which brings the right one.\n',
    );
  });
});
