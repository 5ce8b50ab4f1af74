import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import type { EventBus } from '../../src/bus/port.ts';
import { createDatabase } from '../../src/db/connect.ts';
import { startStorageWorker } from '../../src/events/storage/worker.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { newId, uuidFromId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createVault } from '../../src/privacy/vault.ts';
import { type BenchDatabase, createBenchDatabase } from '../support/bench-database.ts';
import { timed } from '../support/interleave.ts';
import { median, rounded } from '../support/report.ts';
import { type LoadPlace, loadEvent } from './load-events.ts';

const APPEND_EVENTS = 100;
/** Looking more often would be felt by the server that is measured. */
const COMMIT_LOOK_MS = 5;

/**
 * The storage worker alone (people, keys, encryption, rollups, indexes, commit) against a bare COPY of the rows it made
 * into a table with the same columns and indexes: what PostgreSQL itself needs at the least. In turn, the same rows.
 */
export async function measureStorageOverCopy(size: { readonly events: number; readonly rounds: number }) {
  await using database = await createBenchDatabase('storage');
  const { url } = database;
  const db = createDatabase({
    connectionString: url,
    poolMax: 4,
    statementTimeoutMs: 10_000,
    applicationName: 'bench',
  });
  const clock = systemClock;
  const vault = createVault({
    db,
    masterKey: parseMasterKey(randomBytes(32).toString('base64')),
    clock,
  });
  const bus = createInProcessBus({ clock });
  const storage = await startStorageWorker(
    { db, bus, vault, clock, logger: createLogger('warn'), registry: new Registry() },
    { consumerId: 'bench' },
  );
  const place = await makePlace(database);
  let index = 0;
  const store = async () => {
    const before = await countEvents(database);
    await appendEvents(bus, place, { from: index, count: size.events });
    index += size.events;
    while ((await countEvents(database)) < before + size.events) await sleep(COMMIT_LOOK_MS);
  };
  const copy = await prepareCopy(database);
  await store();
  const stored: number[] = [];
  const copied: number[] = [];
  for (let round = 0; round < size.rounds; round++) {
    stored.push(await timed(store));
    copied.push(await copy(index - size.events));
  }
  await storage.stop();
  await bus.close();
  await db.destroy();

  const perSecond = (ms: readonly number[]) =>
    rounded(median(ms.map((each) => size.events / (each / 1_000))), 0);
  const ratio = median(stored.map((ms, round) => (copied[round] ?? Number.NaN) / ms));
  const rows = [
    { contestant: 'bare COPY', 'rows/s': perSecond(copied), 'ratio to COPY': 1 },
    {
      contestant: 'storage worker',
      'rows/s': perSecond(stored),
      'ratio to COPY': rounded(ratio),
    },
  ];
  return { ratio, rows };
}

async function makePlace({ client }: BenchDatabase): Promise<LoadPlace> {
  const nowMs = systemClock.nowMs();
  const place = {
    channelId: newId('channel', nowMs),
    streamId: newId('stream', nowMs),
    sessionId: newId('session', nowMs),
  };
  await client.query(`insert into channel (id, provider, handle) values ($1, 'TIKTOK', 'bench')`, [
    uuidFromId(place.channelId),
  ]);
  await client.query(
    `insert into stream (id, channel_id, provider, external_id, started_at) values ($1, $2, 'TIKTOK', '1', now())`,
    [uuidFromId(place.streamId), uuidFromId(place.channelId)],
  );
  return place;
}

async function appendEvents(
  bus: EventBus,
  place: LoadPlace,
  range: { readonly from: number; readonly count: number },
): Promise<void> {
  for (let from = range.from; from < range.from + range.count; from += APPEND_EVENTS) {
    const nowMs = systemClock.nowMs();
    const events = Array.from({ length: APPEND_EVENTS }, (_, offset) =>
      loadEvent(place, from + offset, nowMs),
    );
    await bus.append({ channelId: place.channelId, lease: null, sequenceFloor: 0, events });
  }
}

async function countEvents({ client }: BenchDatabase): Promise<number> {
  const { rows } = await client.query('select coalesce(sum(events), 0)::int as events from stream_total');
  return rows[0].events;
}

/** A way to COPY the rows from a sequence on, and the time it took in milliseconds, without that of writing the file. */
async function prepareCopy({ client }: BenchDatabase): Promise<(afterSequence: number) => Promise<number>> {
  await client.query(
    'create table copied (like event including defaults including constraints including indexes)',
  );
  // On the server's side: the bench's user is a superuser of a server on this machine.
  const file = join(tmpdir(), `tallylight-bench-${process.pid}.copy`);
  return async (afterSequence) => {
    await client.query(
      `copy (select * from event where sequence > ${afterSequence}) to '${file}' (format binary)`,
    );
    const ms = await timed(() => client.query(`copy copied from '${file}' (format binary)`));
    await rm(file);
    return ms;
  };
}
