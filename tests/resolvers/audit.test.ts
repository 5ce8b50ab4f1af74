import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { PlatformRole } from '../../src/auth/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { insertBareFactor, insertBareUser } from '../support/account.ts';
import { askByCookie } from '../support/browser-sign-in.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** Somebody signed in who has shown a second factor. */
async function person(role: PlatformRole) {
  const { db, vault, bus } = fixture;
  const id = await insertBareUser({ db, vault }, { role });
  // Staff must have a second factor; this sign-in has shown it.
  if (role !== 'USER') await insertBareFactor(db, id);
  const sessions = createSessionStore({ db, vault, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
  const mfaAt = systemClock.nowMs();
  const { token } = await sessions.create({ userId: id, mfaAt, userAgent: null, address: null });
  return { id, ask: askByCookie(fixture.url, token) };
}

const ENTRIES = `query ($filter: AuditFilter) {
  auditEntries(first: 50, filter: $filter) { edges { node { actorId role channelId action outcome code } } }
}`;
const OPEN = `mutation ($input: StaffAccessOpenInput!) {
  staffAccessOpen(input: $input) { __typename ... on UserError { code } }
}`;

describe('the audit log in the API', () => {
  it('[T-R1] shows administrators what was done and refused, and nobody else', async () => {
    const [admin, user] = [await person('ADMIN'), await person('USER')];
    const { id } = await fixture.channel('audited');
    const rotate = 'mutation ($id: ID!) { overlayKeyRotate(input: { channelId: $id }) { __typename } }';
    await fixture.ask(rotate, { id });
    await user.ask(
      'mutation ($id: ID!) { userRoleSet(input: { userId: $id, role: ADMIN }) { __typename } }',
      {
        id: user.id,
      },
    );
    const { data } = await admin.ask(ENTRIES);
    const entries = data.auditEntries.edges.map(({ node }: { node: object }) => node);
    expect(entries).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ action: 'overlayKeyRotate', channelId: id, outcome: 'DONE', code: null }),
        expect.objectContaining({
          action: 'userRoleSet',
          actorId: user.id,
          outcome: 'REFUSED',
          code: 'FORBIDDEN',
        }),
      ]),
    );
    const mine = await admin.ask(ENTRIES, { filter: { actorId: user.id } });
    expect(mine.data.auditEntries.edges).toHaveLength(1);
    for (const ask of [user.ask, (await person('COMPLIANCE')).ask, fixture.ask]) {
      expect((await ask(ENTRIES)).errors[0].extensions.code).toBe('FORBIDDEN');
    }
  });

  it("[T-R3] opens a channel's people to staff for a reason alone, and writes that down", async () => {
    const [admin, user] = [await person('ADMIN'), await person('USER')];
    const { id } = await fixture.channel('looked.into');
    const look = 'query ($id: ID!) { channel(id: $id) { members(handle: "x") { displayName } } }';
    expect((await admin.ask(look, { id })).errors[0].extensions.code).toBe('FORBIDDEN');
    const input = { channelId: id, reason: 'A report of threats, ticket 4711' };
    expect((await user.ask(OPEN, { input })).errors[0].extensions.code).toBe('FORBIDDEN');
    expect(
      (await admin.ask(OPEN, { input: { channelId: id, reason: '' } })).data.staffAccessOpen,
    ).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect((await admin.ask(OPEN, { input })).data.staffAccessOpen.__typename).toBe('StaffAccessOpenPayload');
    expect((await admin.ask(look, { id })).data.channel.members).toEqual([]);
    const { data } = await admin.ask(ENTRIES, { filter: { action: 'staffAccessOpen', channelId: id } });
    expect(data.auditEntries.edges.map(({ node }: { node: { outcome: string } }) => node.outcome)).toContain(
      'DONE',
    );
  });
});
