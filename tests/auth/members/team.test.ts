import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaveEverything } from '../../../src/auth/members/guards.ts';
import {
  assignOwner,
  leaveChannel,
  removeMember,
  setMemberRole,
  transferOwnership,
} from '../../../src/auth/members/team.ts';
import type { Operator, Viewer } from '../../../src/auth/viewer.ts';
import { newId, uuidFromId } from '../../../src/lib/ids.ts';
import { openTeam, refusal, type Team } from './support.ts';

let team: Team;
beforeAll(async () => {
  team = await openTeam();
});
afterAll(() => team[Symbol.asyncDispose]());

const operator: Operator = { kind: 'OPERATOR', accessKeyId: newId('accessKey', 1) };

describe('the role of a member', () => {
  it('is changed by the owner, and told to every process', async () => {
    const [owner, other] = [await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner], VIEWER: [other] });
    team.told();
    const viewer = await team.viewer(owner);
    await setMemberRole(team, viewer, { channelId, userId: other, role: 'MODERATOR' });
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER', [other]: 'MODERATOR' });
    expect(team.told()).toEqual([other]);
    await setMemberRole(team, operator, { channelId, userId: other, role: 'VIEWER' });
    await removeMember(team, viewer, { channelId, userId: other });
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER' });
    expect(team.told()).toEqual([other, other]);
  });

  it('[T-E1] is not changed by a moderator or a viewer, least of all their own', async () => {
    const [owner, moderator, viewer] = [await team.user(), await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner], MODERATOR: [moderator], VIEWER: [viewer] });
    const before = await team.roles(channelId);
    for (const actor of [moderator, viewer]) {
      const asker = await team.viewer(actor);
      for (const userId of [owner, moderator, viewer]) {
        const key = { channelId, userId };
        const attempts = [
          setMemberRole(team, asker, { ...key, role: 'OWNER' }),
          setMemberRole(team, asker, { ...key, role: 'MODERATOR' }),
          removeMember(team, asker, key),
        ];
        for (const attempt of attempts.map(refusal)) expect(await attempt).toBe('NOT_PERMITTED');
      }
      expect(await refusal(transferOwnership(team, asker, { channelId, userId: owner }))).toBe(
        'NOT_PERMITTED',
      );
      expect(await refusal(transferOwnership(team, asker, { channelId, userId: actor }))).toBe('OWN_ROLE');
    }
    expect(await team.roles(channelId)).toEqual(before);
  });

  it('[T-E2] [T-I6] is out of reach for the moderator or owner of another channel: there is no such channel', async () => {
    const [mine, theirs, friend] = [await team.user(), await team.user(), await team.user()];
    const own = await team.channel({ OWNER: [mine] });
    await team.channel({ MODERATOR: [mine] });
    const channelId = await team.channel({ OWNER: [theirs], VIEWER: [friend] });
    const asker = await team.viewer(mine);
    const before = await team.roles(channelId);
    const nowhere = newId('channel', 1);
    for (const target of [channelId, nowhere]) {
      const attempts = [
        setMemberRole(team, asker, { channelId: target, userId: mine, role: 'OWNER' }),
        setMemberRole(team, asker, { channelId: target, userId: friend, role: 'MODERATOR' }),
        setMemberRole(team, asker, { channelId: target, userId: newId('user', 1), role: 'MODERATOR' }),
        removeMember(team, asker, { channelId: target, userId: theirs }),
        transferOwnership(team, asker, { channelId: target, userId: friend }),
        leaveChannel(team, asker, target),
      ];
      for (const attempt of attempts.map(refusal)) expect(await attempt).toBe('CHANNEL_NOT_FOUND');
    }
    expect(await refusal(setMemberRole(team, asker, { channelId: own, userId: friend, role: 'OWNER' }))).toBe(
      'TEAM_MEMBER_NOT_FOUND',
    );
    expect(await team.roles(channelId)).toEqual(before);
  });

  it('[T-E1] counts as it is now, not as it was when the asker was authenticated', async () => {
    const [one, two, three] = [await team.user(), await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [one, two], VIEWER: [three] });
    const stale = await team.viewer(two);
    await setMemberRole(team, await team.viewer(one), { channelId, userId: two, role: 'VIEWER' });
    const promotion = setMemberRole(team, stale, { channelId, userId: two, role: 'OWNER' });
    expect(await refusal(promotion)).toBe('NOT_PERMITTED');
    await removeMember(team, await team.viewer(one), { channelId, userId: two });
    const revenge = removeMember(team, stale, { channelId, userId: three });
    expect(await refusal(revenge)).toBe('CHANNEL_NOT_FOUND');
    expect(await team.roles(channelId)).toEqual({ [one]: 'OWNER', [three]: 'VIEWER' });
  });

  it('[T-E1] gives administrators, overlays and clients no power over the team', async () => {
    const [owner, admin] = [await team.user(), await team.user({ role: 'ADMIN' })];
    const channelId = await team.channel({ OWNER: [owner] });
    const others: readonly (readonly [Viewer, string])[] = [
      [await team.viewer(admin), 'NOT_PERMITTED'],
      [{ kind: 'OVERLAY', accessKeyId: newId('accessKey', 1), channelId }, 'NOT_PERMITTED'],
      [
        {
          kind: 'CLIENT',
          clientId: newId('client', 1),
          keyId: newId('clientKey', 1),
          channelId,
          scopes: new Set(['EVENTS_READ']),
          allowedOrigins: new Set(),
          costPerMinute: null,
        },
        'NOT_PERMITTED',
      ],
      [{ kind: 'ANONYMOUS' }, 'CHANNEL_NOT_FOUND'],
    ];
    for (const [viewer, code] of others) {
      const attempt = removeMember(team, viewer, { channelId, userId: owner });
      expect([viewer.kind, await refusal(attempt)]).toEqual([viewer.kind, code]);
    }
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER' });
  });
});

describe('the last owner', () => {
  it('[T-E5] cannot leave, be removed or lowered, nor go with the account', async () => {
    const [owner, other] = [await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner], MODERATOR: [other] });
    const viewer = await team.viewer(owner);
    const key = { channelId, userId: owner };
    const attempts = [
      leaveChannel(team, viewer, channelId),
      removeMember(team, viewer, key),
      removeMember(team, operator, key),
      setMemberRole(team, viewer, { ...key, role: 'VIEWER' }),
      team.db.transaction().execute((tx) => leaveEverything(team, tx, owner)),
    ];
    for (const attempt of attempts.map(refusal)) expect(await attempt).toBe('LAST_OWNER');
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER', [other]: 'MODERATOR' });
  });

  it('[T-E5] is not replaced by an owner who cannot sign in', async () => {
    const [owner, disabled] = [await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner, disabled] });
    await team.db
      .updateTable('app_user')
      .set({ disabled_at: '2026-01-01' })
      .where('id', '=', uuidFromId(disabled))
      .execute();
    expect(await refusal(leaveChannel(team, await team.viewer(owner), channelId))).toBe('LAST_OWNER');
  });

  it.each(['leave', 'lower each other', 'delete their accounts'])(
    '[T-E5] stays when two owners %s at once',
    async (way) => {
      for (let round = 0; round < 10; round += 1) {
        const owners = [await team.user(), await team.user()];
        const channelId = await team.channel({ OWNER: owners });
        const viewers = await Promise.all(owners.map((id) => team.viewer(id)));
        const outcomes = await Promise.all(
          viewers.map((viewer, index) => {
            if (way === 'leave') return refusal(leaveChannel(team, viewer, channelId));
            if (way === 'delete their accounts')
              return refusal(team.db.transaction().execute((tx) => leaveEverything(team, tx, viewer.userId)));
            const userId = owners[1 - index] ?? viewer.userId;
            return refusal(setMemberRole(team, viewer, { channelId, userId, role: 'VIEWER' }));
          }),
        );
        expect(outcomes.filter((code) => code === null)).toHaveLength(1);
        expect(Object.values(await team.roles(channelId)).filter((role) => role === 'OWNER')).toHaveLength(1);
      }
    },
  );
});

describe('a transfer of ownership', () => {
  it('makes the heir the owner and the giver a moderator', async () => {
    const [owner, heir] = [await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner], VIEWER: [heir] });
    team.told();
    await transferOwnership(team, await team.viewer(owner), { channelId, userId: heir });
    expect(await team.roles(channelId)).toEqual({ [owner]: 'MODERATOR', [heir]: 'OWNER' });
    // Anybody: also who came with the overlay key that the giver knew.
    expect(team.told()).toEqual(['']);
  });

  it('needs an heir of the team whose address is verified, with room for a channel', async () => {
    const [owner, stranger, unverified, rich] = [
      await team.user(),
      await team.user(),
      await team.user({ verified: false }),
      await team.user(),
    ];
    for (let count = 0; count < 10; count += 1) await team.channel({ OWNER: [rich] });
    const channelId = await team.channel({ OWNER: [owner], VIEWER: [unverified, rich] });
    const viewer = await team.viewer(owner);
    const before = await team.roles(channelId);
    const to = (userId: typeof owner) => refusal(transferOwnership(team, viewer, { channelId, userId }));
    expect(await to(stranger)).toBe('TEAM_MEMBER_NOT_FOUND');
    expect(await to(newId('user', 1))).toBe('TEAM_MEMBER_NOT_FOUND');
    expect(await to(unverified)).toBe('EMAIL_UNVERIFIED');
    expect(await to(rich)).toBe('TOO_MANY_CHANNELS');
    expect(await refusal(setMemberRole(team, viewer, { channelId, userId: rich, role: 'OWNER' }))).toBe(
      'TOO_MANY_CHANNELS',
    );
    expect(await team.roles(channelId)).toEqual(before);
  });

  it('[T-E5] to several at once goes to one', async () => {
    const owner = await team.user();
    const heirs = await Promise.all(Array.from({ length: 5 }, () => team.user()));
    const channelId = await team.channel({ OWNER: [owner], VIEWER: heirs });
    const viewer = await team.viewer(owner);
    const outcomes = await Promise.all(
      heirs.map((userId) => refusal(transferOwnership(team, viewer, { channelId, userId }))),
    );
    expect(outcomes.toSorted()).toEqual([
      'NOT_PERMITTED',
      'NOT_PERMITTED',
      'NOT_PERMITTED',
      'NOT_PERMITTED',
      null,
    ]);
    const roles = await team.roles(channelId);
    expect(Object.values(roles).filter((role) => role === 'OWNER')).toHaveLength(1);
    expect(roles[owner]).toBe('MODERATOR');
  });
});

describe('an owner assigned by an administrator', () => {
  it('[T-E5] goes to a channel without one, and never to the administrator', async () => {
    const [admin, user, owner] = [await team.user({ role: 'ADMIN' }), await team.user(), await team.user()];
    const [empty, owned] = [await team.channel({ VIEWER: [user] }), await team.channel({ OWNER: [owner] })];
    const viewer = await team.viewer(admin);
    const assign = (channelId: typeof empty, userId: typeof user, asker: Viewer = viewer) =>
      refusal(assignOwner(team, asker, { channelId, userId }));
    expect(await assign(empty, admin)).toBe('OWN_ROLE');
    expect(await assign(owned, user)).toBe('CHANNEL_HAS_OWNER');
    expect(await assign(newId('channel', 1), user)).toBe('CHANNEL_NOT_FOUND');
    expect(await assign(empty, newId('user', 1))).toBe('USER_NOT_FOUND');
    expect(await assign(empty, await team.user({ verified: false }))).toBe('EMAIL_UNVERIFIED');
    expect(await assign(empty, user, await team.viewer(user))).toBe('NOT_PERMITTED');
    expect(await assign(empty, user, operator)).toBe('NOT_PERMITTED');
    expect(await team.roles(empty)).toEqual({ [user]: 'VIEWER' });
    expect(await assign(empty, user)).toBe(null);
    expect(await team.roles(empty)).toEqual({ [user]: 'OWNER' });
  });
});
