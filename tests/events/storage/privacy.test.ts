import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { Registry } from 'prom-client';
import { afterAll, describe, expect, it } from 'vitest';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import { startStorageWorker } from '../../../src/events/storage/worker.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault } from '../../../src/privacy/vault.ts';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait.ts';
import {
  giftPayload,
  SAMPLE_TIME_MS,
  sampleEvents,
  sampleScene,
  sampleUser,
} from '../support/sample-events.ts';

const database = await createTestDatabase();
const { db } = database;
const clock = { nowMs: () => SAMPLE_TIME_MS + 60_000 };
afterAll(() => database[Symbol.asyncDispose]());

/** One canary per field that names people or is their words. */
const CANARIES = {
  userId: '7654321098765432101',
  uniqueId: 'canary.handle',
  displayName: 'Canary Displayname',
  avatarUrl: 'https://p16.example/canary-avatar.webp',
  message: 'canary chat words',
  question: 'canary question words',
  receiver: '7654321098765432102',
  rivalId: '7654321098765432103',
  rivalName: 'Canary Rival',
  deletedId: '7654321098765432104',
  raw: 'canary raw data',
  error: 'canary error text',
  stack: 'canary stack text',
};

async function storeCanaries(): Promise<Registry> {
  const { userId, uniqueId, displayName, avatarUrl } = CANARIES;
  const user = sampleUser(1, { userId, uniqueId, displayName, avatarUrl });
  const make = sampleEvents(sampleScene());
  const participants = [{ userId: CANARIES.rivalId, displayName: CANARIES.rivalName, score: 1 }];
  const events = [
    make('CHAT', { message: CANARIES.message, emotes: [], language: 'en' }, { user }),
    make('QUESTION', { questionId: '1', message: CANARIES.question }, { user }),
    make('GIFT', giftPayload({ toUserId: CANARIES.receiver }), { user }),
    make('BATTLE', { battleId: '1', battleStatus: 'UPDATED', participants }),
    make('MESSAGE_DELETED', { userIds: [CANARIES.deletedId, userId] }),
    make('RAW', { rawType: 'WebcastOddMessage', data: { text: CANARIES.raw } }),
    make('ERROR', { message: CANARIES.error, code: 'X', stack: CANARIES.stack }),
    make('FOLLOW', {}, { user: { ...user, uniqueId: `${uniqueId}.renamed` } }),
  ];
  const registry = new Registry();
  const bus = createInProcessBus({ clock });
  const vault = createVault({ db, masterKey: parseMasterKey(randomBytes(32).toString('base64')), clock });
  const worker = await startStorageWorker(
    { db, bus, vault, clock, logger: createLogger('silent'), registry },
    { consumerId: 'test', lingerMs: 1 },
  );
  for (const { sequence, ...draft } of events) {
    await bus.append({ channelId: draft.channelId, lease: null, sequenceFloor: 0, events: [draft] });
  }
  await waitFor(async () => (await worker.lag()).pendingEvents === 0);
  await worker.stop();
  return registry;
}

/** Every row of every table of ours, as text: what a leaked dump would show. Bytes show as hexadecimal digits. */
async function dump(): Promise<string> {
  const tables = await sql<{ name: string }>`
    select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')`.execute(db);
  const rows: string[] = [];
  for (const { name } of tables.rows) {
    const result = await sql<{ text: string }>`select t::text as text from ${sql.raw(name)} as t`.execute(db);
    rows.push(...result.rows.map((row) => row.text));
  }
  return rows.join('\n').toLowerCase();
}

function isIn(text: string, canary: string): boolean {
  const bytes = Buffer.from(canary, 'utf8');
  return (
    text.includes(canary.toLowerCase()) ||
    text.includes(bytes.toString('hex')) ||
    text.includes(bytes.toString('base64').toLowerCase())
  );
}

describe('[T-I2] a leaked database', () => {
  it('shows no name, handle, avatar, user id, word or raw data of anybody', async () => {
    const registry = await storeCanaries();
    const leaked = await dump();
    expect(leaked.split('\n').length).toBeGreaterThan(15); // there is something to look at…
    expect(isIn(leaked, 'WebcastOddMessage')).toBe(true); // …and this way of looking finds what is there
    const found = Object.entries(CANARIES).filter(([, canary]) => isIn(leaked, canary));
    expect(found).toEqual([]);

    const metrics = await registry.metrics();
    expect(Object.values(CANARIES).filter((canary) => isIn(metrics, canary))).toEqual([]);
  });
});

describe('storage’s metrics', () => {
  it('count what was stored, seen before and rejected', async () => {
    const registry = new Registry();
    const bus = createInProcessBus({ clock });
    const vault = createVault({ db, masterKey: parseMasterKey(randomBytes(32).toString('base64')), clock });
    const worker = await startStorageWorker(
      { db, bus, vault, clock, logger: createLogger('silent'), registry },
      { consumerId: 'test', lingerMs: 1 },
    );
    const make = sampleEvents(sampleScene());
    const drafts = [
      make('SHARE', {}),
      make('SHARE', {}),
      make('GIFT', giftPayload({ giftName: '\u0000' })),
    ].map(({ sequence, ...draft }) => draft);
    const [first] = drafts;
    if (first === undefined) throw new Error('no event');
    await bus.append({ channelId: first.channelId, lease: null, sequenceFloor: 0, events: drafts });
    await waitFor(async () => (await worker.lag()).pendingEvents === 0);
    const text = await registry.metrics();
    expect(text).toContain('tallylight_storage_events_total{outcome="stored"} 2\n');
    expect(text).toContain('tallylight_storage_events_total{outcome="rejected"} 1\n');
    expect(text).toContain('tallylight_storage_events_total{outcome="duplicate"} 0\n');
    expect(text).toContain('tallylight_storage_lag_events 0\n');
    expect(text).toContain('tallylight_storage_lag_seconds 0\n');
    await worker.stop();
  });
});
