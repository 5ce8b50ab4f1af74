import { setTimeout as sleep } from 'node:timers/promises';
import { overlayKey } from '../src/auth/access-keys.ts';
import { idFromUuid } from '../src/lib/ids.ts';
import { removeKeys } from '../tests/bus/redis-support.ts';
import { createInstallation } from '../tests/support/installation.ts';
import { tallylight } from '../tests/support/tallylight-process.ts';
import { waitFor } from '../tests/support/wait.ts';
import type { PacedFeedCommand, PacedFeedReport } from './latency/feed.ts';
import { openOverlaySocket } from './latency/overlay-socket.ts';
import { createBenchDatabase } from './support/bench-database.ts';
import { startChild } from './support/child.ts';
import { parseBenchArguments, percentile, printTable, rounded, writeResults } from './support/report.ts';

/**
 * From a frame written by the simulator to the message on an overlay's socket, through the product as its user runs it
 * (`tallylight start`), at 500 events per second: with the in-process bus and with Redis, one after the other.
 */
const { quick } = parseBenchArguments(process.argv.slice(2));
const PER_SECOND = 500;
const SECONDS = quick ? 8 : 60;
/** Not counted: the first seconds, in which code is compiled and viewers are met for the first time. */
const WARM_UP_SECONDS = quick ? 2 : 5;
/** Short enough to repeat, long enough for the last event of a play to arrive. */
const SETTLE_SECONDS = 0.5;
const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const KEY_PREFIX = `bench${process.pid}`;

const feed = startChild<PacedFeedCommand, PacedFeedReport>('latency/feed.ts', ['inprocess,redis']);
const { webHost, signUrl } = await feed.next('READY');

async function measure(handle: string, busEnv: Readonly<Record<string, string>>): Promise<readonly number[]> {
  await using database = await createBenchDatabase(`latency_${handle}`);
  await using installation = await createInstallation({
    DATABASE_URL: database.url,
    TIKTOK_WEB_HOST: webHost,
    TIKTOK_WEBCAST_HOST: webHost,
    TIKTOK_SIGN_URL: signUrl,
    ...busEnv,
  });
  const product = tallylight(['start', `@${handle}`], installation.env);
  try {
    await installation.ready();
    const { channelId, version } = await liveChannel(database);
    const key = overlayKey(installation.masterKey, channelId, version);
    const overlay = await openOverlaySocket({ url: installation.url, key, channelId });
    // The protocol does not tell when a subscription is in force: the first event on the socket does.
    await waitFor(async () => (await play(handle, SETTLE_SECONDS)) > 0 && overlay.latenciesMs.length > 0);
    await play(handle, WARM_UP_SECONDS);
    await sleep(SETTLE_SECONDS * 1_000);
    const before = overlay.latenciesMs.length;
    const sent = await play(handle, SECONDS);
    await waitFor(() => overlay.latenciesMs.length === before + sent, {
      message: `${sent} events on the overlay's socket`,
    });
    overlay.close();
    return overlay.latenciesMs.slice(-sent);
  } finally {
    await product.stop();
    if (product.stderr() !== '') process.stderr.write(product.stderr());
  }
}

async function play(handle: string, seconds: number): Promise<number> {
  const played = feed.next('PLAYED');
  feed.tell({ kind: 'PLAY', handle, perSecond: PER_SECOND, seconds });
  return (await played).messages;
}

async function liveChannel(database: Awaited<ReturnType<typeof createBenchDatabase>>) {
  const row = await waitFor(
    async () => {
      const { rows } = await database.client.query(
        `select channel.id, overlay_key_version as version from channel
           join channel_connection on channel_id = channel.id where state = 'LIVE'`,
      );
      return rows[0] as { id: string; version: number } | undefined;
    },
    { timeoutMs: 20_000, message: 'the channel to be live' },
  );
  return { channelId: idFromUuid('channel', row.id), version: row.version };
}

const inProcess = await measure('inprocess', {});
const redis = await measure('redis', {
  REDIS_URL,
  TALLYLIGHT_BUS_PREFIX: KEY_PREFIX,
  TALLYLIGHT_BUS_GROUP_PREFIX: KEY_PREFIX,
});
await feed.stop({ kind: 'STOP' });
await removeKeys(REDIS_URL, KEY_PREFIX);

const summary = (latencies: readonly number[]) => ({
  events: latencies.length,
  'p50 ms': rounded(percentile(latencies, 0.5)),
  'p99 ms': rounded(percentile(latencies, 0.99)),
  'max ms': rounded(Math.max(...latencies)),
});
process.stdout.write(`frame written to overlay socket, ${PER_SECOND} events/s for ${SECONDS} s\n\n`);
printTable([
  { bus: 'in-process', ...summary(inProcess) },
  { bus: 'Redis', ...summary(redis) },
]);
await writeResults('latency', {
  figures: {
    p50Ms: rounded(percentile(inProcess, 0.5)),
    p99Ms: rounded(percentile(inProcess, 0.99)),
    p50MsRedis: rounded(percentile(redis, 0.5)),
    p99MsRedis: rounded(percentile(redis, 0.99)),
  },
  details: { quick, perSecond: PER_SECOND, seconds: SECONDS },
});
