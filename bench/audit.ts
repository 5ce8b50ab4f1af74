import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { type AuditLog, type AuditNote, startAuditLog } from '../src/audit/log.ts';
import { verifyAuditLog } from '../src/audit/verify.ts';
import { createDatabase } from '../src/db/connect.ts';
import { assert } from '../src/lib/assert.ts';
import { systemClock } from '../src/lib/clock.ts';
import { newId, uuidFromId } from '../src/lib/ids.ts';
import { createLogger } from '../src/lib/logger.ts';
import { parseMasterKey } from '../src/privacy/master-key.ts';
import { createVault } from '../src/privacy/vault.ts';
import { createBenchDatabase } from './support/bench-database.ts';
import { interleave } from './support/interleave.ts';
import { median, parseBenchArguments, printTable, rounded, writeResults } from './support/report.ts';

/**
 * What the audit log costs. Sixteen writers add entries as fast as they can: to the log, whose entries are chained and therefore
 * come one after the other, and to a table of the same columns and indexes without chain and lock. Both commit durably, and a
 * writer goes on only when its entry is. Each way in turn, so that what the machine does beside the bench falls on both alike.
 */

const WRITERS = 16;
const { quick } = parseBenchArguments(process.argv.slice(2));
const rounds = quick ? 6 : 20;
const secondsPerRound = quick ? 1 : 3;

await using database = await createBenchDatabase('audit');
const db = createDatabase({
  connectionString: database.url,
  poolMax: WRITERS,
  statementTimeoutMs: 30_000,
  applicationName: 'tallylight bench audit',
});
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const deps = { db, masterKey, clock: systemClock, logger: createLogger('error') };
const vault = createVault(deps);
const log: AuditLog = await startAuditLog({ ...deps, vault });
await sql`create table plain_entry (like audit_entry including all)`.execute(db);
await sql`create sequence plain_sequence`.execute(db);

const note: AuditNote = {
  actorKind: 'USER',
  actorId: newId('user', systemClock.nowMs()),
  role: 'OWNER',
  channelId: newId('channel', systemClock.nowMs()),
  action: 'clientKeyCreate',
  target: newId('client', systemClock.nowMs()),
  requestId: 'b7f9d7b5-6a57-4c0d-9d4f-2f3f4d1d1b60',
  address: null,
  details: { scopes: ['EVENTS_READ', 'HISTORY_READ'] },
};
const done = { outcome: 'DONE', code: null } as const;
const hash = randomBytes(32);

/** The same row, with nothing that the log adds. */
async function plainInsert(): Promise<void> {
  const id = uuidFromId(newId('auditEntry', systemClock.nowMs()));
  await sql`
    insert into plain_entry (sequence, id, at, actor_kind, actor_id, role, channel_id, action, target, outcome, code, request_id,
      address, details, previous_hash, hash)
    values (nextval('plain_sequence'), ${id}, ${new Date()}, ${note.actorKind}, ${note.actorId}, ${note.role},
      ${note.channelId === null ? null : uuidFromId(note.channelId)}, ${note.action}, ${note.target}, ${done.outcome}, null,
      ${note.requestId}, null, ${JSON.stringify(note.details)}::jsonb, ${hash}, ${hash})
  `.execute(db);
}

/** How often sixteen writers at once get it done, a second. */
async function perSecond(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  const until = startedAt + secondsPerRound * 1_000;
  let count = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      for (; performance.now() < until; count += 1) await work();
    }),
  );
  return count / ((performance.now() - startedAt) / 1_000);
}

const ways = {
  'entry in the log': () => log.record({ ...note, ...done }),
  'mutation: noted before, entry after': async () => (await log.begin(note)).finish(done),
  'plain insert of the same row': plainInsert,
};
for (const work of Object.values(ways)) await Promise.all(Array.from({ length: WRITERS }, work));
const samples = await interleave(
  rounds,
  Object.entries(ways).map(([name, work]) => ({ name, run: () => perSecond(work) })),
);
// The bench must not be fast because it writes nothing, or something else.
const verdict = await verifyAuditLog({ db, masterKey });
assert(verdict.intact, 'the log that was written is intact');
await log.stop();

const middle = (name: keyof typeof ways) => median(samples.get(name) ?? []);
const plain = middle('plain insert of the same row');
printTable(
  Object.keys(ways).map((name) => ({
    [`${WRITERS} writers`]: name,
    'per second': rounded(median(samples.get(name) ?? []), 0),
    'of plain': rounded(median(samples.get(name) ?? []) / plain),
  })),
);
await writeResults('audit', {
  figures: {
    auditOverPlainInsert: rounded(middle('entry in the log') / plain),
    appendsPerSecond: rounded(middle('entry in the log'), 0),
    mutationsPerSecond: rounded(middle('mutation: noted before, entry after'), 0),
  },
  details: {
    quick,
    writers: WRITERS,
    rounds,
    secondsPerRound,
    entries: Number(verdict.entries),
    samples: Object.fromEntries(
      [...samples].map(([name, values]) => [name, values.map((value) => rounded(value, 0))]),
    ),
  },
});
await db.destroy();
