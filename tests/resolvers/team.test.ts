import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emailHash } from '../../src/auth/accounts/email-address.ts';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import type { SessionStore } from '../../src/auth/sessions/session-store.ts';
import { createTokens } from '../../src/auth/tokens/tokens.ts';
import type { ChannelRole, PlatformRole } from '../../src/auth/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, idFromUuid, newId, type UserId, uuidFromId } from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { open, seal } from '../../src/privacy/envelope.ts';
import { addressHash } from '../auth/members/support.ts';
import { type ApiFixture, startApiFixture } from '../server/api-fixture.ts';
import { insertBareFactor } from '../support/account.ts';
import { type Ask, askByCookie } from '../support/browser-sign-in.ts';

let fixture: ApiFixture;
let sessions: SessionStore;
beforeAll(async () => {
  fixture = await startApiFixture();
  const { db, vault, bus } = fixture;
  sessions = createSessionStore({ db, vault, bus, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
});
afterAll(() => fixture[Symbol.asyncDispose]());

interface Person {
  readonly id: UserId;
  readonly ask: Ask;
}

/** Somebody signed in, with a session of a browser. */
async function person(
  name: string,
  options: { readonly role?: PlatformRole; readonly verified?: boolean } = {},
): Promise<Person> {
  const { db, vault } = fixture;
  const id = newId('user', systemClock.nowMs());
  const key = (await vault.dataKeys([id], { create: true })).get(id);
  if (key === undefined) throw new Error('a key that was asked for is made');
  await sql`insert into app_user (id, email_hash, email, display_name, email_verified_at, platform_role)
    values (${uuidFromId(id)}, ${addressHash(id)}, ${seal(key, sealContext.userEmail(id), `${name}@a.test`)},
      ${seal(key, sealContext.userName(id), name)}, ${options.verified === false ? null : sql`now()`},
      ${options.role ?? 'USER'})`.execute(db);
  // Staff must have a second factor; this sign-in has shown it.
  if ((options.role ?? 'USER') !== 'USER') await insertBareFactor(db, id);
  const { token } = await sessions.create({
    userId: id,
    mfaAt: systemClock.nowMs(),
    userAgent: null,
    address: null,
  });
  return { id, ask: askByCookie(fixture.url, token) };
}

let channels = 0;
async function channel(members: readonly (readonly [Person, ChannelRole])[]): Promise<ChannelId> {
  channels += 1;
  const { id } = await fixture.channel(`api.team.${channels}`);
  for (const [{ id: userId }, role] of members) {
    await sql`insert into channel_member (channel_id, user_id, role)
      values (${uuidFromId(id)}, ${uuidFromId(userId)}, ${role})`.execute(fixture.db);
  }
  return id;
}

const CODE = '__typename ... on UserError { code }';
/** Every mutation that names a channel, a session of one, or an invitation into one. */
const CHANNEL_MUTATIONS: Readonly<Record<string, string>> = {
  channelDisconnect: `mutation ($c: ID!) { r: channelDisconnect(input: { channelId: $c }) { ${CODE} } }`,
  overlayKeyRotate: `mutation ($c: ID!) { r: overlayKeyRotate(input: { channelId: $c }) { ${CODE} ... on OverlayKeyRotatePayload { overlayUrl } } }`,
  channelInvitationCreate: `mutation ($c: ID!) { r: channelInvitationCreate(input: { channelId: $c, role: MODERATOR }) { ${CODE} } }`,
  channelMemberRoleSet: `mutation ($c: ID!, $u: ID!) { r: channelMemberRoleSet(input: { channelId: $c, userId: $u, role: MODERATOR }) { ${CODE} } }`,
  channelMemberRemove: `mutation ($c: ID!, $u: ID!) { r: channelMemberRemove(input: { channelId: $c, userId: $u }) { ${CODE} } }`,
  channelOwnershipTransfer: `mutation ($c: ID!, $u: ID!) { r: channelOwnershipTransfer(input: { channelId: $c, userId: $u }) { ${CODE} } }`,
  channelLeave: `mutation ($c: ID!) { r: channelLeave(input: { channelId: $c }) { ${CODE} } }`,
};

const run = async (who: Person, name: string, variables: object) => {
  const document = CHANNEL_MUTATIONS[name] ?? '';
  const declared = document.includes('$u') ? variables : { ...variables, u: undefined };
  const { data, errors } = await who.ask(document, declared);
  return data?.r?.code ?? data?.r?.__typename ?? errors;
};

describe('a channel', () => {
  it('is owned by the first user who connects it, and taken for everybody else', async () => {
    const [one, two, unverified] = [
      await person('one'),
      await person('two'),
      await person('unverified', { verified: false }),
    ];
    const connect = `mutation ($h: String!) { r: channelConnect(input: { handle: $h }) { ${CODE}
      ... on ChannelConnectPayload { channel { id handle viewerCanManage overlayUrl } } } }`;
    const refused = await unverified.ask(connect, { h: 'first.come' });
    expect(refused.data.r.code).toBe('EMAIL_UNVERIFIED');
    const { data } = await one.ask(connect, { h: '@First.Come' });
    expect(data.r).toEqual({
      __typename: 'ChannelConnectPayload',
      channel: {
        id: expect.stringMatching(/^chn_/),
        handle: 'first.come',
        viewerCanManage: true,
        overlayUrl: expect.stringContaining('/overlay/#channel='),
      },
    });
    const again = await one.ask(connect, { h: 'first.come' });
    expect(again.data.r.channel.id).toBe(data.r.channel.id);
    const taken = await two.ask(connect, { h: 'first.come' });
    expect(taken.data.r).toEqual({ __typename: 'ChannelTakenError', code: 'CHANNEL_TAKEN' });
    const { id } = await fixture.channel('of.the.operator');
    const claimed = await two.ask(connect, { h: 'of.the.operator' });
    expect(claimed.data.r.code).toBe('CHANNEL_TAKEN');
    expect((await fixture.ask('query ($c: ID!) { channel(id: $c) { wanted } }', { c: id })).data).toEqual({
      channel: { wanted: true },
    });
    const memberships = await one.ask(
      '{ viewer { memberships { edges { node { role channel { id } } } } } }',
    );
    expect(memberships.data.viewer.memberships.edges).toEqual([
      { node: { role: 'OWNER', channel: { id: data.r.channel.id } } },
    ]);
  });

  it('[T-E1] is claimed by one of 10 at once, and no user owns more than 10', async () => {
    const people = await Promise.all(Array.from({ length: 10 }, (_, index) => person(`racer ${index}`)));
    const connect = `mutation ($h: String!) { r: channelConnect(input: { handle: $h }) { ${CODE} } }`;
    const outcomes = await Promise.all(people.map((each) => each.ask(connect, { h: 'race.claim' })));
    const codes = outcomes.map(({ data }) => data.r.code ?? data.r.__typename).toSorted();
    expect(codes).toEqual([...Array(9).fill('CHANNEL_TAKEN'), 'ChannelConnectPayload']);
    const rich = await person('rich');
    const many = await Promise.all(
      Array.from({ length: 13 }, (_, index) => rich.ask(connect, { h: `rich.${index}` })),
    );
    expect(many.filter(({ data }) => data.r.code === 'TOO_MANY_CHANNELS')).toHaveLength(3);
  });
});

describe('a mutation of a channel', () => {
  it.each(Object.keys(CHANNEL_MUTATIONS))(
    '[T-E1] [T-E2] [T-I6] %s does nothing for members of another channel, and says the same as of none',
    async (name) => {
      const [owner, other, moderator] = [
        await person('owner'),
        await person('other'),
        await person('moderator'),
      ];
      const theirs = await channel([
        [owner, 'OWNER'],
        [moderator, 'VIEWER'],
      ]);
      await channel([
        [other, 'OWNER'],
        [moderator, 'MODERATOR'],
      ]);
      const before = await fixture.db.selectFrom('channel').selectAll().execute();
      const members = await fixture.db.selectFrom('channel_member').selectAll().execute();
      expect(await run(other, name, { c: theirs, u: moderator.id })).toBe('CHANNEL_NOT_FOUND');
      expect(await run(other, name, { c: newId('channel', 1), u: moderator.id })).toBe('CHANNEL_NOT_FOUND');
      expect(await run(other, name, { c: 'nonsense', u: 'nonsense' })).toBe('CHANNEL_NOT_FOUND');
      if (name !== 'channelLeave') {
        expect(await run(moderator, name, { c: theirs, u: owner.id })).toBe('NOT_PERMITTED');
      }
      expect(await fixture.db.selectFrom('channel').selectAll().execute()).toEqual(before);
      expect(await fixture.db.selectFrom('channel_member').selectAll().execute()).toEqual(members);
    },
  );

  it('[T-E2] replays nothing of another channel, nor for who may only look', async () => {
    const [owner, moderator, stranger] = [await person('a'), await person('b'), await person('c')];
    const channelId = await channel([
      [owner, 'OWNER'],
      [moderator, 'MODERATOR'],
    ]);
    const [streamId, sessionId] = [newId('stream', 1), newId('session', 1)];
    await sql`insert into stream (id, channel_id, provider, external_id, simulated, started_at)
      values (${uuidFromId(streamId)}, ${uuidFromId(channelId)}, 'TIKTOK', 'x', false, now())`.execute(
      fixture.db,
    );
    await sql`insert into session (id, stream_id, channel_id, source, state, started_at, ended_at)
      values (${uuidFromId(sessionId)}, ${uuidFromId(streamId)}, ${uuidFromId(channelId)}, 'LIVE', 'ENDED', now(), now())`.execute(
      fixture.db,
    );
    const replay = `mutation ($s: ID!) { r: sessionReplay(input: { sessionId: $s }) { ${CODE} }
      x: sessionReplayCancel(input: { sessionId: $s }) { ${CODE} } }`;
    const outcome = async (who: Person) => {
      const { data } = await who.ask(replay, { s: sessionId });
      return [data.r.code, data.x.code];
    };
    expect(await outcome(stranger)).toEqual(['SESSION_NOT_FOUND', 'REPLAY_NOT_RUNNING']);
    expect(await outcome(moderator)).toEqual(['NOT_PERMITTED', 'NOT_PERMITTED']);
    expect(await outcome(owner)).toEqual(['NO_EVENTS', 'REPLAY_NOT_RUNNING']);
  });
});

describe('a team', () => {
  const TEAM = `query ($c: ID!) { channel(id: $c) { viewerCanManageTeam viewerCanSeeNames
    team { edges { node { userId displayName role } } } } }`;

  it('comes by invitation, and is seen by owners and moderators with names', async () => {
    const [owner, guest] = [await person('Ada'), await person('Ben')];
    const channelId = await channel([[owner, 'OWNER']]);
    const created = await owner.ask(
      `mutation ($c: ID!) { r: channelInvitationCreate(input: { channelId: $c, role: MODERATOR }) {
        ... on ChannelInvitationCreatePayload { token invitation { id role email expiresAt } } } }`,
      { c: channelId },
    );
    const { token, invitation } = created.data.r;
    expect(invitation).toMatchObject({ id: expect.stringMatching(/^inv_/), role: 'MODERATOR', email: null });
    const open = `query ($c: ID!) { channel(id: $c) { invitations { edges { node { id } } } } }`;
    expect((await owner.ask(open, { c: channelId })).data.channel.invitations.edges).toEqual([
      { node: { id: invitation.id } },
    ]);
    const accepted = await guest.ask(
      `mutation ($t: String!) { r: invitationAccept(input: { token: $t }) { ${CODE}
        ... on InvitationAcceptPayload { membership { role channel { id viewerCanSeeNames viewerCanManageTeam } } } } }`,
      { t: token },
    );
    expect(accepted.data.r.membership).toEqual({
      role: 'MODERATOR',
      channel: { id: channelId, viewerCanSeeNames: true, viewerCanManageTeam: false },
    });
    const { data } = await guest.ask(TEAM, { c: channelId });
    expect(data.channel.team.edges.map(({ node }: { node: object }) => node)).toEqual([
      { userId: owner.id, displayName: 'Ada', role: 'OWNER' },
      { userId: guest.id, displayName: 'Ben', role: 'MODERATOR' },
    ]);
    const refused = await guest.ask(open, { c: channelId });
    expect(refused.errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await owner.ask(open, { c: channelId })).data.channel.invitations.edges).toEqual([]);
  });

  it('[T-E1] comes by mail for the account of that address, whose code who invites never sees', async () => {
    const [owner, guest, thief] = [await person('Eve'), await person('Fay'), await person('Gus')];
    const channelId = await channel([[owner, 'OWNER']]);
    const hash = emailHash(fixture.masterKey, 'fay@a.test');
    await sql`update app_user set email_hash = ${hash} where id = ${uuidFromId(guest.id)}`.execute(
      fixture.db,
    );
    const invite = `mutation ($c: ID!, $e: String!) { r: channelInvitationCreate(input: { channelId: $c, role: VIEWER, email: $e }) {
      ${CODE} ... on ChannelInvitationCreatePayload { token invitation { email } } } }`;
    const created = await owner.ask(invite, { c: channelId, e: ' FAY@a.test ' });
    expect(created.data.r).toMatchObject({ token: null, invitation: { email: 'FAY@a.test' } });
    const mails = await fixture.db
      .selectFrom('outgoing_mail')
      .selectAll()
      .where('user_id', '=', uuidFromId(owner.id))
      .execute();
    const key = (await fixture.vault.dataKeys([owner.id], { create: false })).get(owner.id);
    if (mails.length !== 1 || mails[0] === undefined || key === undefined)
      throw new Error('one mail goes out');
    const mailId = idFromUuid('mail', mails[0].id);
    const mail = JSON.parse(open(key, sealContext.mail(mailId), mails[0].content).toString('utf8'));
    expect(mail.to).toBe('FAY@a.test');
    const token = /tli_[\w-]{43}/.exec(mail.text)?.[0];
    const accept = `mutation ($t: String!) { r: invitationAccept(input: { token: $t }) { ${CODE} } }`;
    expect((await thief.ask(accept, { t: token })).data.r.code).toBe('INVITATION_INVALID');
    expect((await guest.ask(accept, { t: token })).data.r.__typename).toBe('InvitationAcceptPayload');
    expect((await owner.ask(invite, { c: channelId, e: 'no address' })).data.r.code).toBe('INVALID_INPUT');
    const operator = await fixture.ask(invite, { c: channelId, e: 'x@a.test' });
    expect(operator.data.r.code).toBe('NOT_PERMITTED');
    const many = [];
    for (let count = 0; count < 6; count += 1) {
      many.push((await owner.ask(invite, { c: channelId, e: 'victim@a.test' })).data.r.code ?? null);
    }
    expect(many).toEqual([null, null, null, null, null, 'RATE_LIMITED']);
  });

  it('[T-E1] [T-I6] is hidden from its viewers and from strangers', async () => {
    const [owner, viewer, stranger] = [await person('o'), await person('v'), await person('s')];
    const channelId = await channel([
      [owner, 'OWNER'],
      [viewer, 'VIEWER'],
    ]);
    expect((await viewer.ask(TEAM, { c: channelId })).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await stranger.ask(TEAM, { c: channelId })).data).toEqual({ channel: null });
  });

  it('[T-E1] that somebody is removed from is closed to them at once', async () => {
    const [owner, moderator] = [await person('o'), await person('m')];
    const channelId = await channel([
      [owner, 'OWNER'],
      [moderator, 'MODERATOR'],
    ]);
    expect((await moderator.ask(TEAM, { c: channelId })).data.channel.viewerCanSeeNames).toBe(true);
    const removed = await run(owner, 'channelMemberRemove', { c: channelId, u: moderator.id });
    expect(removed).toBe('ChannelMemberRemovePayload');
    expect((await moderator.ask(TEAM, { c: channelId })).data).toEqual({ channel: null });
  });

  it('[T-E5] changes roles and owners only with a factor shown lately', async () => {
    const [owner, member] = [await person('o'), await person('m')];
    const channelId = await channel([
      [owner, 'OWNER'],
      [member, 'VIEWER'],
    ]);
    await sql`update user_session set created_at = now() - interval '10 minutes', mfa_at = now() - interval '10 minutes'
      where user_id = ${uuidFromId(owner.id)}`.execute(fixture.db);
    for (const name of ['channelMemberRoleSet', 'channelOwnershipTransfer']) {
      const errors = await run(owner, name, { c: channelId, u: member.id });
      expect(errors[0].extensions.code).toBe('STEP_UP_REQUIRED');
    }
    const roles = await fixture.db
      .selectFrom('channel_member')
      .select('role')
      .where('channel_id', '=', uuidFromId(channelId))
      .execute();
    expect(roles.map(({ role }) => role).toSorted()).toEqual(['OWNER', 'VIEWER']);
  });
});

describe('administrators', () => {
  const USERS = `query ($f: UserFilter) { users(first: 100, filter: $f) { edges { node { id email displayName role disabledAt } } } }`;
  const DISABLE = `mutation ($u: ID!) { r: userDisable(input: { userId: $u }) { ${CODE} ... on UserDisablePayload { user { disabledAt } } } }`;
  const ROLE = `mutation ($u: ID!, $r: PlatformRole!) { r: userRoleSet(input: { userId: $u, role: $r }) { ${CODE} ... on UserRoleSetPayload { user { role } } } }`;

  it('see users, and cut one off at once', async () => {
    const [admin, user] = [await person('Root', { role: 'ADMIN' }), await person('Bad')];
    const { data } = await admin.ask(USERS, { f: { role: 'ADMIN' } });
    expect(data.users.edges).toEqual([
      {
        node: { id: admin.id, email: 'Root@a.test', displayName: 'Root', role: 'ADMIN', disabledAt: null },
      },
    ]);
    expect((await user.ask('{ viewer { id } }')).data.viewer.id).toBe(user.id);
    const disabled = await admin.ask(DISABLE, { u: user.id });
    expect(disabled.data.r.user.disabledAt).not.toBe(null);
    const after = await user.ask('{ viewer { id } }');
    expect(after.data?.viewer ?? null).toBe(null);
    const only = await admin.ask(USERS, { f: { disabled: true } });
    expect(only.data.users.edges.map(({ node }: { node: { id: string } }) => node.id)).toEqual([user.id]);
  });

  it('[T-S2] end the tokens of who they cut off, also for when they come back', async () => {
    const [admin, user] = [await person('Root', { role: 'ADMIN' }), await person('Dora')];
    const { db, vault, bus, masterKey } = fixture;
    const deps = { db, vault, bus, clock: systemClock, masterKey, publicUrl: fixture.url };
    const tokens = await createTokens({ ...deps, onReuse: async () => {} });
    const { refreshToken } = await tokens.create({ userId: user.id, name: 'program', mfaAt: null });
    await admin.ask(DISABLE, { u: user.id });
    const enable = `mutation ($u: ID!) { r: userEnable(input: { userId: $u }) { ${CODE} } }`;
    expect((await admin.ask(enable, { u: user.id })).data.r.__typename).toBe('UserEnablePayload');
    await expect(tokens.exchange(refreshToken)).rejects.toMatchObject({
      code: expect.stringMatching(/^REFRESH_TOKEN/),
    });
    expect((await user.ask('{ viewer { id } }')).data?.viewer ?? null).toBe(null);
  });

  it('[T-S3] give another role, which ends the sessions of who gets it', async () => {
    const [admin, user] = [await person('Root', { role: 'ADMIN' }), await person('Cleo')];
    const { data } = await admin.ask(ROLE, { u: user.id, r: 'COMPLIANCE' });
    expect(data.r.user.role).toBe('COMPLIANCE');
    const after = await user.ask('{ viewer { id } }');
    expect(after.data?.viewer ?? null).toBe(null);
  });

  it('[T-E5] [T-E1] are not made by anybody else, nor by themselves', async () => {
    const [admin, user] = [await person('Root', { role: 'ADMIN' }), await person('Mallory')];
    for (const [query, variables] of [
      [ROLE, { u: user.id, r: 'ADMIN' }],
      [ROLE, { u: admin.id, r: 'USER' }],
      [DISABLE, { u: admin.id }],
      [USERS, {}],
    ] as const) {
      for (const ask of [user.ask, (q: string, v: object) => fixture.ask(q, v)]) {
        const { data, errors } = await ask(query, variables);
        expect([data, errors[0].extensions.code]).toEqual([
          data === undefined ? undefined : null,
          'FORBIDDEN',
        ]);
      }
    }
    expect((await admin.ask(ROLE, { u: admin.id, r: 'COMPLIANCE' })).data.r.code).toBe('OWN_ROLE');
    expect((await admin.ask(DISABLE, { u: admin.id })).data.r.code).toBe('OWN_ROLE');
    const channelId = await channel([]);
    const assign = `mutation ($c: ID!, $u: ID!) { r: channelOwnerAssign(input: { channelId: $c, userId: $u }) { ${CODE} } }`;
    expect((await admin.ask(assign, { c: channelId, u: admin.id })).data.r.code).toBe('OWN_ROLE');
    expect((await admin.ask(assign, { c: channelId, u: user.id })).data.r.__typename).toBe(
      'ChannelOwnerAssignPayload',
    );
    expect(
      (await user.ask('query ($c: ID!) { channel(id: $c) { viewerCanManage } }', { c: channelId })).data,
    ).toEqual({ channel: { viewerCanManage: true } });
  });
});
