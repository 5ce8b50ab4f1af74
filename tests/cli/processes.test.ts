import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorKey } from '../../src/auth/access-keys.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { testRedisUrl } from '../support/servers.ts';
import { run, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

const MASTER_KEY = randomBytes(32).toString('base64');
const redisUrl = testRedisUrl();

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'tallylight-processes-'));
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function ask(url: string, query: string, variables: object = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${operatorKey(parseMasterKey(MASTER_KEY))}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

const SESSIONS = `{ channels(first: 1) { edges { node { currentStream {
  totals { events chats }
  sessions(first: 10) { edges { node { id source state } } }
} } } } }`;

// The banner at the start of the run says so loudly when there is no Redis.
describe.skipIf(redisUrl === null)('api, ingest and worker apart', { timeout: 120_000 }, () => {
  it('bring events from a simulator to the API, replay a session, cancel a replay, and stop when asked to', async () => {
    const keyFile = join(folder, 'master-key');
    await writeFile(keyFile, `${MASTER_KEY}\n`);
    await using simulator = tallylight([
      'simulate',
      '--scenario',
      'busy',
      '--rate',
      '50',
      '--end-after',
      '6',
    ]);
    const [, host = ''] = await simulator.seen(/TIKTOK_WEB_HOST=(\S+)/);
    const env = {
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl ?? '',
      TALLYLIGHT_DATA_DIR: folder,
      TALLYLIGHT_MASTER_KEY_FILE: keyFile,
      TALLYLIGHT_BUS_PREFIX: `cli${randomBytes(6).toString('hex')}`,
      TALLYLIGHT_BUS_SHARDS: '1',
      TALLYLIGHT_PORT: '0',
      TIKTOK_WEB_HOST: host,
      TIKTOK_WEBCAST_HOST: host,
      TIKTOK_SIGN_URL: `http://${host}`,
    };
    await using worker = tallylight(['worker'], env);
    await using ingest = tallylight(['ingest'], env);
    await using api = tallylight(['api'], env);
    await worker.seen(/The worker runs/);
    await ingest.seen(/Ingest runs/);
    const [, url = ''] = await api.seen(/The API listens on (http:\S+)\. Stop/);
    const graphql = `${url}/graphql`;

    const connected = await ask(
      graphql,
      'mutation { channelConnect(input: { handle: "@simulated" }) { ... on ChannelConnectPayload { channel { id } } } }',
    );
    expect(connected.data?.channelConnect.channel.id).toMatch(/^chn_/);
    const ended = await waitFor(
      async () => {
        const stream = (await ask(graphql, SESSIONS)).data?.channels.edges[0]?.node.currentStream;
        const session = stream?.sessions.edges[0]?.node;
        return session?.state === 'ENDED' && stream.totals.chats > 0 ? session : null;
      },
      { timeoutMs: 60_000, message: 'a stored session that has ended' },
    );

    const { id: channelId } = connected.data.channelConnect.channel;
    await waitFor(
      async () => {
        const query = 'query ($channelId: ID!) { pipelineHealth(channelId: $channelId) { link detail } }';
        const links = (await ask(graphql, query, { channelId })).data?.pipelineHealth ?? [];
        return links.some(({ detail }: { detail: string }) => detail === 'every event is stored.');
      },
      { message: 'the last events to be stored' },
    );
    const before = (await ask(graphql, SESSIONS)).data.channels.edges[0].node.currentStream;

    const withPort = { ...env, TALLYLIGHT_PORT: new URL(url).port };
    const replay = await run(['replay', ended.id], withPort);
    expect(replay.stdout).toMatch(/^replayed (\d+) of \1 events: done\.$/m);
    expect(replay.code).toBe(0);

    await using slow = tallylight(['replay', ended.id, '--speed', '0.1'], withPort);
    await slow.seen(/replayed \d+ of \d+ events/);
    slow.child.kill('SIGINT');
    expect(await slow.ended).toBe(130);
    expect(slow.stdout()).toMatch(/cancelled\.$/m);

    const after = (await ask(graphql, SESSIONS)).data.channels.edges[0].node.currentStream;
    expect(after.totals).toEqual(before.totals);
    expect(
      after.sessions.edges.map((edge: { node: { source: string; state: string } }) => edge.node),
    ).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ source: 'REPLAY', state: 'ENDED' }),
        expect.objectContaining({ source: 'REPLAY', state: 'CANCELLED' }),
      ]),
    );

    for (const part of [ingest, api, worker, simulator]) {
      const askedAt = performance.now();
      part.child.kill('SIGTERM');
      expect(await part.ended).toBe(0);
      expect(performance.now() - askedAt).toBeLessThan(6_000);
      expect(part.stderr()).not.toContain('did not stop in time');
    }
  });

  it('ingest a fixture file in a process of its own, and name the line that is broken', async () => {
    const good = join(folder, 'good.ndjson');
    const line = (id: number) =>
      JSON.stringify({
        rawType: 'WebcastChatMessage',
        messageId: `${id}`,
        receivedAt: 1_700_000_000_000 + id,
        data: { content: 'hello', user: { id: '1234567890', displayId: 'someone', nickname: 'Someone' } },
      });
    await writeFile(good, `${[1, 2, 3].map(line).join('\n')}\n`);
    const env = {
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl ?? '',
      TALLYLIGHT_DATA_DIR: folder,
      TALLYLIGHT_MASTER_KEY: MASTER_KEY,
      TALLYLIGHT_BUS_PREFIX: `cli${randomBytes(6).toString('hex')}`,
      TALLYLIGHT_BUS_SHARDS: '1',
    };
    const done = await run(['replay', '--file', good, '--channel', '@simulated'], env);
    expect([done.code, done.stdout]).toEqual([0, 'ingested 3 messages: done.\n']);

    const bad = join(folder, 'bad.ndjson');
    await writeFile(bad, `${line(4)}\n{"rawType": 7}\n`);
    const refused = await run(['replay', '--file', bad, '--channel', '@simulated'], env);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/^tallylight: Line 2 of the fixture is no message: /m);
  });
});
