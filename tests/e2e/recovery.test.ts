import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { hasRedisServer, type PrivateRedis, startPrivateRedis } from '../bus/redis-support.ts';
import { chromiumPath, launchChromium } from '../support/browser.ts';
import { createInstallation, type Installation } from '../support/installation.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/private-postgres.ts';
import { type TallylightProcess, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

/** Messages a second while a part is away: some hundred times a quiet room. */
const PER_SECOND = 200;
/** The bar: the overlay shows new chat again this soon after the part's return. */
const OVERLAY_RECOVERY_MS_MAX = 5_000;
const HANDLE = 'recovery';

/** Numbered chat at an even rate until it is stopped. */
function startLoad(simulator: Simulator) {
  const room = simulator.room(HANDLE);
  const sent: string[] = [];
  let running = true;
  const done = (async () => {
    while (running) {
      const content = `numbered ${sent.length}`;
      const viewer = sent.length % 50;
      const user = {
        id: String(8_000_000_000 + viewer),
        nickname: `Viewer ${viewer}`,
        displayId: `viewer${viewer}`,
      };
      sent.push(content);
      await room.send('WebcastChatMessage', { user, content });
      await new Promise((resolve) => setTimeout(resolve, 1_000 / PER_SECOND));
    }
  })();
  return {
    sent,
    async stop() {
      running = false;
      await done;
    },
  };
}

interface StoredChat {
  readonly message: string;
  readonly occurredAt: number;
}

/** Every stored chat message of the channel, read back through the API as the owner. */
async function storedChats(installation: Installation): Promise<readonly StoredChat[]> {
  const chats: StoredChat[] = [];
  let after: string | null = null;
  for (;;) {
    const { channelByHandle } = await installation.query(
      `query ($handle: String!, $after: String) { channelByHandle(handle: $handle) {
        events(first: 100, after: $after, filter: { types: [CHAT] }) {
          edges { node { occurredAt ... on ChatEvent { message } } } pageInfo { hasNextPage endCursor } } } }`,
      { handle: HANDLE, after },
    );
    const { edges, pageInfo } = channelByHandle.events;
    for (const { node } of edges) {
      chats.push({ message: node.message, occurredAt: Date.parse(node.occurredAt) });
    }
    if (!pageInfo.hasNextPage) return chats;
    after = pageInfo.endCursor;
  }
}

const redisHere = hasRedisServer();
const executablePath = chromiumPath();

describe.skipIf(!redisHere)('a part fails while events arrive', { timeout: 180_000 }, () => {
  let redis: PrivateRedis;
  let postgres: PrivatePostgres;
  let simulator: Simulator;
  let installation: Installation;
  const processes = new Map<string, TallylightProcess>();

  const run = (command: string) => processes.set(command, tallylight([command], installation.env));

  beforeAll(async () => {
    redis = await startPrivateRedis(['--appendonly', 'yes']);
    postgres = await startPrivatePostgres();
    simulator = await startSimulator({
      clock: systemClock,
      logger: createLogger('silent'),
      seed: 7,
      handles: [HANDLE],
    });
    installation = await createInstallation({
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      TALLYLIGHT_BUS_PREFIX: `e2e${randomBytes(4).toString('hex')}`,
      TIKTOK_WEB_HOST: simulator.webHost,
      TIKTOK_WEBCAST_HOST: simulator.webcastHost,
      TIKTOK_SIGN_URL: simulator.signUrl,
      TIKTOK_SIGN_RATE_PER_MINUTE: '600',
      // The whole history is read again and again while we wait for it.
      TALLYLIGHT_COST_POINTS: '10000000',
      TALLYLIGHT_COST_POINTS_PER_SECOND: '1000000',
    });
    expect(await tallylight(['migrate'], installation.env).ended).toBe(0);
    for (const command of ['api', 'worker', 'ingest']) run(command);
    await installation.ready();
    await installation.query(
      'mutation ($handle: String!) { channelConnect(input: { handle: $handle }) { __typename } }',
      { handle: HANDLE },
    );
    await waitFor(() => simulator.room(HANDLE).viewers === 1, {
      timeoutMs: 30_000,
      message: 'the connection',
    });
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...processes.values()].map((process) => process.stop()));
    await simulator?.stop();
    await installation?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  /** Fails a part in the middle of a load, brings it back, and holds what is stored against what was sent. */
  async function failDuringLoad(fail: () => Promise<void>): Promise<void> {
    const before = (await storedChats(installation)).length;
    const load = startLoad(simulator);
    await waitFor(() => load.sent.length >= PER_SECOND, { message: 'load before the failure' });
    await fail();
    const atReturn = load.sent.length;
    await waitFor(() => load.sent.length >= atReturn + 3 * PER_SECOND, {
      timeoutMs: 30_000,
      message: 'load after the failure',
    });
    await load.stop();
    const last = load.sent.at(-1);
    const stored = await waitFor(
      async () => {
        const chats = (await storedChats(installation)).slice(0, -before || undefined);
        return chats[0]?.message === last ? chats : undefined;
      },
      { timeoutMs: 30_000, message: `the last message (${last}) to be stored` },
    );
    const messages = stored.map((chat) => chat.message);
    expect(new Set(messages).size, 'stored once each').toBe(messages.length);
    await expectMissingWithinGaps(load.sent, stored);
    // Newest first, in the order they were sent.
    const numbers = messages.map((message) => Number(message.split(' ')[1]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
  }

  /** What is not stored lies between two stored neighbours that a recorded gap separates. */
  async function expectMissingWithinGaps(
    sent: readonly string[],
    stored: readonly StoredChat[],
  ): Promise<void> {
    const times = new Map(stored.map((chat) => [chat.message, chat.occurredAt]));
    const missing = sent.filter((message) => !times.has(message));
    if (missing.length === 0) return;
    const { rows } = await withClient((client) =>
      client.query('select from_at, coalesce(to_at, now()) as to_at from stream_gap'),
    );
    for (const message of missing) {
      const index = sent.indexOf(message);
      const earlier = sent.slice(0, index).findLast((each) => times.has(each)) ?? '';
      const later = sent.slice(index).find((each) => times.has(each)) ?? '';
      const from = times.get(earlier) ?? 0;
      const to = times.get(later) ?? Number.POSITIVE_INFINITY;
      const covered = rows.some((gap) => gap.from_at.getTime() <= to && gap.to_at.getTime() >= from);
      expect(covered, `${message} is missing: after ${earlier}, before ${later}, in no recorded gap`).toBe(
        true,
      );
    }
  }

  async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  it('stores every event exactly once when the worker is killed', () =>
    failDuringLoad(async () => {
      await processes.get('worker')?.stop('SIGKILL');
      run('worker');
    }));

  it('stores every event exactly once when PostgreSQL is killed', () =>
    failDuringLoad(async () => {
      await postgres.crash();
      await postgres.restart();
    }));

  it('stores every event exactly once when Redis is killed', () =>
    failDuringLoad(async () => {
      await redis.kill();
      await redis.start();
    }));

  it('records what was missed when ingest is killed', () =>
    failDuringLoad(async () => {
      await processes.get('ingest')?.stop('SIGKILL');
      run('ingest');
      await waitFor(() => simulator.room(HANDLE).viewers === 1, {
        timeoutMs: 30_000,
        message: 'the connection',
      });
    }));

  it('stores every event once, or records the gap, when the provider cuts the connection', () =>
    failDuringLoad(async () => {
      const { entered } = simulator.room(HANDLE).counters;
      simulator.room(HANDLE).terminate();
      await waitFor(() => simulator.room(HANDLE).counters.entered > entered, {
        timeoutMs: 30_000,
        message: 'the reconnect',
      });
    }));

  it.skipIf(executablePath === undefined)(
    'shows new chat on the overlay within 5 s of the return of the API, Redis and PostgreSQL',
    async () => {
      await using browser = await launchChromium(executablePath ?? '');
      const page = await browser.newPage();
      const { channelByHandle } = await installation.query(
        'query ($handle: String!) { channelByHandle(handle: $handle) { overlayUrl } }',
        { handle: HANDLE },
      );
      await page.goto(channelByHandle.overlayUrl);
      const load = startLoad(simulator);
      const newestShown = async (): Promise<number> => {
        const texts = await page.locator('#chat .message').allTextContents();
        return Math.max(-1, ...texts.map((text) => Number(text.split(' ')[1])));
      };
      await waitFor(async () => (await newestShown()) >= 0, { message: 'chat on the overlay' });

      const parts: Readonly<Record<string, () => Promise<void>>> = {
        API: async () => {
          await processes.get('api')?.stop('SIGKILL');
          run('api');
          await installation.ready();
        },
        Redis: async () => {
          await redis.kill();
          await redis.start();
        },
        PostgreSQL: async () => {
          await postgres.crash();
          await postgres.restart();
        },
      };
      for (const [name, restart] of Object.entries(parts)) {
        await restart();
        const sentAtReturn = load.sent.length;
        await waitFor(async () => (await newestShown()) > sentAtReturn, {
          timeoutMs: OVERLAY_RECOVERY_MS_MAX,
          message: `new chat on the overlay after the return of ${name}`,
        });
      }
      await load.stop();
    },
  );
});
