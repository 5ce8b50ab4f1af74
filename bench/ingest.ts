import type { Client } from 'pg';
import { removeKeys } from '../tests/bus/redis-support.ts';
import type { PipelineCommand, ReaderReport } from './ingest/connector-alone.ts';
import type { FeedCommand, FeedReport } from './ingest/feed.ts';
import { measureStorageOverCopy } from './ingest/storage-over-copy.ts';
import { type BenchDatabase, createBenchDatabase } from './support/bench-database.ts';
import { type BenchChild, startChild } from './support/child.ts';
import { interleave } from './support/interleave.ts';
import type { ProcessLoad } from './support/process-load.ts';
import { median, parseBenchArguments, printTable, rounded, writeResults } from './support/report.ts';

/**
 * The connector alone (decode and drop) against the whole pipeline to committed rows, on the same kind of frames, in turn.
 * Every message is of a type that must become a row of its own; a round ends when the last one is committed.
 */
const { quick } = parseBenchArguments(process.argv.slice(2));
const ROUNDS = quick ? 5 : 12;
const MESSAGES_PER_ROUND = quick ? 16_000 : 30_000;
const COMMIT_LOOK_MS = 10;
const REDIS_URL = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const KEY_PREFIX = `bench${process.pid}`;

interface Sample {
  readonly messagesPerSecond: number;
  readonly load: ProcessLoad;
}

type Feed = BenchChild<FeedCommand, FeedReport>;
type Reader = BenchChild<PipelineCommand, ReaderReport>;

async function prepare(feed: Feed, handle: string): Promise<void> {
  const prepared = feed.next('PREPARED');
  feed.tell({ kind: 'PREPARE', handle, messages: MESSAGES_PER_ROUND });
  await prepared;
}

async function measureConnector(feed: Feed, reader: Reader): Promise<Sample> {
  await prepare(feed, 'connector');
  const read = reader.next('READ');
  reader.tell({ kind: 'EXPECT', messages: MESSAGES_PER_ROUND });
  const startedAt = performance.now();
  feed.tell({ kind: 'PLAY', handle: 'connector' });
  const { load } = await read;
  return { messagesPerSecond: MESSAGES_PER_ROUND / ((performance.now() - startedAt) / 1_000), load };
}

async function measurePipeline(
  feed: Feed,
  pipeline: { readonly handle: string; readonly reader: Reader; readonly database: BenchDatabase },
): Promise<Sample> {
  const { handle, reader, database } = pipeline;
  await prepare(feed, handle);
  const target = (await committedEvents(database.client)) + MESSAGES_PER_ROUND;
  reader.tell({ kind: 'EXPECT', messages: MESSAGES_PER_ROUND });
  const startedAt = performance.now();
  feed.tell({ kind: 'PLAY', handle });
  while ((await committedEvents(database.client)) < target) {
    await new Promise((resolve) => setTimeout(resolve, COMMIT_LOOK_MS));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const read = reader.next('READ');
  reader.tell({ kind: 'LOAD' });
  return { messagesPerSecond: MESSAGES_PER_ROUND / seconds, load: (await read).load };
}

/** What the rollup counts is what has been committed: both are of one statement. */
async function committedEvents(client: Client): Promise<number> {
  const { rows } = await client.query('select coalesce(sum(events), 0)::int as events from stream_total');
  return rows[0].events;
}

async function startPipeline(handle: string, hosts: readonly string[], redisUrl: string) {
  const database = await createBenchDatabase(handle);
  await database.client.query(
    `insert into channel (id, provider, handle) values (gen_random_uuid(), 'TIKTOK', $1)`,
    [handle],
  );
  const reader: Reader = startChild('ingest/pipeline.ts', [...hosts, database.url, redisUrl, KEY_PREFIX]);
  await reader.next('CONNECTED');
  return { handle, reader, database };
}

const ids = ['connector', 'inprocess', 'redis'];
const feed: Feed = startChild('ingest/feed.ts', [ids.join(',')]);
const { webHost, signUrl } = await feed.next('READY');
const connector: Reader = startChild('ingest/connector-alone.ts', [webHost, signUrl, 'connector']);
await connector.next('CONNECTED');
const inProcess = await startPipeline('inprocess', [webHost, signUrl], '');
const redis = await startPipeline('redis', [webHost, signUrl], REDIS_URL);
await using _inProcessDatabase = inProcess.database;
await using _redisDatabase = redis.database;

const contestants = [
  { name: 'connector alone', run: () => measureConnector(feed, connector) },
  { name: 'pipeline, in-process bus', run: () => measurePipeline(feed, inProcess) },
  { name: 'pipeline, Redis bus', run: () => measurePipeline(feed, redis) },
];
// One round to warm up: compiled code, known viewers, made partitions.
await interleave(1, contestants);
const samples = await interleave(ROUNDS, contestants);
for (const child of [connector, inProcess.reader, redis.reader]) await child.stop({ kind: 'STOP' });
await feed.stop({ kind: 'STOP' });
await removeKeys(REDIS_URL, KEY_PREFIX);
const storage = await measureStorageOverCopy({ events: MESSAGES_PER_ROUND, rounds: quick ? 3 : 8 });

const of = (name: string): readonly Sample[] => samples.get(name) ?? [];
const ratio = (name: string) =>
  median(
    of(name).map(
      (sample, round) =>
        sample.messagesPerSecond / (of('connector alone')[round]?.messagesPerSecond ?? Number.NaN),
    ),
  );
const pipelines = contestants.slice(1).flatMap(({ name }) => of(name));

process.stdout.write(
  `${ROUNDS} rounds of ${MESSAGES_PER_ROUND} messages of about 3 kB, 10 to a frame, gzip\n\n`,
);
printTable(
  contestants.map(({ name }) => ({
    contestant: name,
    'messages/s': rounded(median(of(name).map((sample) => sample.messagesPerSecond)), 0),
    'ratio to connector': rounded(ratio(name)),
    'CPU µs/message': rounded(
      (median(of(name).map((sample) => sample.load.cpuMs)) * 1_000) / MESSAGES_PER_ROUND,
      1,
    ),
    'RSS max MB': rounded(Math.max(...of(name).map((sample) => sample.load.rssMb)), 0),
    'loop p99 ms': rounded(median(of(name).map((sample) => sample.load.loopP99Ms)), 1),
  })),
);
process.stdout.write('\n');
printTable(storage.rows);
await writeResults('ingest', {
  figures: {
    pipelineOverConnector: rounded(ratio('pipeline, in-process bus'), 3),
    pipelineOverConnectorRedis: rounded(ratio('pipeline, Redis bus'), 3),
    storageOverCopy: rounded(storage.ratio, 3),
    rssMb: rounded(Math.max(...pipelines.map((sample) => sample.load.rssMb)), 0),
    loopP99Ms: rounded(Math.max(...pipelines.map((sample) => sample.load.loopP99Ms)), 1),
  },
  details: {
    quick,
    rounds: ROUNDS,
    messagesPerRound: MESSAGES_PER_ROUND,
    samples: Object.fromEntries(samples),
    storage,
  },
});
