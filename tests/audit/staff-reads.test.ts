import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ChannelId, UserId } from '../../src/lib/ids.ts';
import { chatAt, record, recordStream, viewer } from '../events/support/recorded.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { insertBareFactor, insertBareUser } from '../support/account.ts';
import { type Ask, askByCookie } from '../support/browser-sign-in.ts';

const DEADLINE_MS = 700;
const WRITTEN = 'What only the channel is to read';
let fixture: ApiFixture;
let channelId: ChannelId;
let userId: UserId;
let ask: Ask;
beforeAll(async () => {
  fixture = await startApiFixture({ operationDeadlineMs: DEADLINE_MS });
  const { db, vault, bus } = fixture;
  ({ id: channelId } = await fixture.channel('staff.reads'));
  const recording = await recordStream(db, { channelId });
  await record(fixture, [
    chatAt(recording, { atMs: 1_000, sequence: 1, message: WRITTEN, user: viewer(1) }),
    chatAt(recording, { atMs: 2_000, sequence: 2, message: WRITTEN, user: viewer(2) }),
  ]);
  userId = await insertBareUser({ db, vault }, { role: 'COMPLIANCE' });
  await insertBareFactor(db, userId);
  const sessions = createSessionStore({ db, vault, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const mfaAt = systemClock.nowMs();
  const { token } = await sessions.create({ userId, mfaAt, userAgent: null, address: null });
  ask = askByCookie(fixture.url, token);
  const input = { channelId, reason: 'A creator asked for help with their chat.' };
  const opened = await ask(
    'mutation ($input: StaffAccessOpenInput!) { staffAccessOpen(input: $input) { __typename } }',
    { input },
  );
  expect(opened.data.staffAccessOpen.__typename).toBe('StaffAccessOpenPayload');
});
afterAll(() => fixture[Symbol.asyncDispose]());

const EVENTS = `events(first: 10) { edges { node { sequence ... on ChatEvent { message }
  ... on ChatEvent { actor { displayName handle } } } } }`;
const READS: readonly (readonly [string, string])[] = [
  ['texts and names', `query ($id: ID!) { channel(id: $id) { ${EVENTS} again: ${EVENTS} } }`],
  [
    'who has a handle',
    `query ($id: ID!) { channel(id: $id) { members(handle: "${viewer(1).uniqueId}") { id } } }`,
  ],
  [
    'the handles of somebody',
    `query ($id: ID!) { channel(id: $id) { events(first: 1) { edges { node { ... on ChatEvent {
      actor { member { handles(first: 5) { edges { node { handle } } } } } } } } } } }`,
  ],
];

const entries = async () => {
  const rows = await fixture.db
    .selectFrom('audit_entry')
    .select(['actor_id', 'channel_id'])
    .where('action', '=', 'personalDataRead')
    .execute();
  return rows.filter((row) => row.actor_id === userId).length;
};

/** Everything that names somebody, or that somebody wrote. */
const names = (answer: unknown) =>
  [WRITTEN, viewer(1).uniqueId, viewer(1).displayName, viewer(2).displayName].filter((text) =>
    JSON.stringify(answer).includes(text),
  );
const memberIds = (answer: unknown) => JSON.stringify(answer).match(/mem_[0-9a-f]{32}/g) ?? [];

describe('personal data that staff read', () => {
  it.each(READS)('[T-R3] leaves one entry a request, before anything is shown: %s', async (_what, query) => {
    const before = await entries();
    const answer = await ask(query, { id: channelId });
    expect(answer.errors).toBeUndefined();
    expect(JSON.stringify(answer)).toMatch(/mem_|What only|"handles"/);
    expect(await entries()).toBe(before + 1);
  });

  it('leaves none when nothing of it is asked for', async () => {
    const before = await entries();
    const query =
      'query ($id: ID!) { channel(id: $id) { events(first: 10) { edges { node { sequence } } } } }';
    const { data } = await ask(query, { id: channelId });
    expect(data.channel.events.edges).toHaveLength(2);
    expect(await entries()).toBe(before);
  });

  it.each(READS)('[T-R3] is not shown when the entry cannot be written: %s', async (_what, query) => {
    await sql`revoke insert on audit_entry from tallylight_api`.execute(fixture.db);
    try {
      const answer = await ask(query, { id: channelId });
      expect(answer.errors.length).toBeGreaterThan(0);
      expect([...names(answer), ...memberIds(answer)]).toEqual([]);
    } finally {
      await sql`grant insert on audit_entry to tallylight_api`.execute(fixture.db);
    }
  });

  it('[T-R3] is not shown while the log is locked, however long that takes', async () => {
    const [[, query = ''] = []] = READS;
    const before = await entries();
    await fixture.db.transaction().execute(async (tx) => {
      await sql`lock table audit_head in exclusive mode`.execute(tx);
      const answer = await ask(query, { id: channelId });
      expect(answer.errors[0].extensions.code).toBe('DEADLINE_EXCEEDED');
      expect(names(answer)).toEqual([]);
    });
    const answer = await ask(query, { id: channelId });
    expect(names(answer)).not.toEqual([]);
    expect(await entries()).toBeGreaterThan(before);
  });
});
