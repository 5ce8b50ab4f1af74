import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { leaveEverything } from '../../../src/auth/members/guards.ts';
import { setPlatformRole, setUserDisabled } from '../../../src/auth/members/platform.ts';
import type { Operator, PlatformRole, Viewer } from '../../../src/auth/viewer.ts';
import { newId, type UserId } from '../../../src/lib/ids.ts';
import { openTeam, refusal, type Team } from './support.ts';

let team: Team;
beforeAll(async () => {
  team = await openTeam();
});
afterAll(() => team[Symbol.asyncDispose]());
// Whether somebody is the last administrator depends on all there are.
afterEach(async () => {
  await team.db.updateTable('app_user').set({ platform_role: 'USER' }).execute();
});

const operator: Operator = { kind: 'OPERATOR', accessKeyId: newId('accessKey', 1) };
const setRole = (viewer: Viewer, userId: UserId, role: PlatformRole) =>
  refusal(setPlatformRole(team, viewer, { userId, role }));
const disable = (viewer: Viewer, userId: UserId) =>
  refusal(setUserDisabled(team, viewer, { userId, disabled: true }));
const leave = (userId: UserId) =>
  refusal(team.db.transaction().execute((tx) => leaveEverything(team, tx, userId)));

describe('a role on the installation', () => {
  it('[T-S3] is given by an administrator, and ends what the user is signed in with', async () => {
    const [admin, user] = [await team.user({ role: 'ADMIN' }), await team.user()];
    const viewer = await team.viewer(admin);
    team.told();
    expect(await setRole(viewer, user, 'COMPLIANCE')).toBe(null);
    expect([await team.platformRole(user), team.ended(), team.told()]).toEqual([
      'COMPLIANCE',
      [user],
      [user],
    ]);
    expect(await setRole(viewer, user, 'COMPLIANCE')).toBe(null);
    expect([team.ended(), team.told()]).toEqual([[], []]);
    expect(await setRole(viewer, newId('user', 1), 'ADMIN')).toBe('USER_NOT_FOUND');
    const unverified = await team.user({ verified: false });
    expect(await setRole(viewer, unverified, 'ADMIN')).toBe('EMAIL_UNVERIFIED');
    expect(await team.platformRole(unverified)).toBe('USER');
  });

  it('[T-E5] is nobody’s to give to themselves, and no one else’s to give', async () => {
    const admin = await team.user({ role: 'ADMIN' });
    const others = [await team.user(), await team.user({ role: 'COMPLIANCE' })];
    for (const id of others) {
      const viewer = await team.viewer(id);
      expect(await setRole(viewer, id, 'ADMIN')).toBe('NOT_PERMITTED');
      expect(await setRole(viewer, admin, 'USER')).toBe('NOT_PERMITTED');
      expect(await disable(viewer, admin)).toBe('NOT_PERMITTED');
    }
    expect(await setRole(operator, others[0] ?? admin, 'ADMIN')).toBe('NOT_PERMITTED');
    const viewer = await team.viewer(admin);
    expect(await setRole(viewer, admin, 'COMPLIANCE')).toBe('OWN_ROLE');
    expect(await disable(viewer, admin)).toBe('OWN_ROLE');
    expect(await team.platformRole(admin)).toBe('ADMIN');
  });

  it('[T-E5] counts as it is now, not as it was when the asker was authenticated', async () => {
    const [one, two] = [await team.user({ role: 'ADMIN' }), await team.user({ role: 'ADMIN' })];
    const stale = await team.viewer(two);
    expect(await setRole(await team.viewer(one), two, 'USER')).toBe(null);
    expect(await setRole(stale, one, 'USER')).toBe('NOT_PERMITTED');
    expect(await team.platformRole(one)).toBe('ADMIN');
  });
});

describe('the last administrator', () => {
  it('[T-E5] cannot go with the account', async () => {
    const [one, two] = [await team.user({ role: 'ADMIN' }), await team.user({ role: 'ADMIN' })];
    expect(await disable(await team.viewer(one), two)).toBe(null);
    expect(await leave(one)).toBe('LAST_ADMIN');
    await refusal(setUserDisabled(team, await team.viewer(one), { userId: two, disabled: false }));
    expect(await leave(one)).toBe(null);
  });

  it('[T-E5] stays when two administrators demote each other, or disable each other, at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const ids = [await team.user({ role: 'ADMIN' }), await team.user({ role: 'ADMIN' })] as const;
      const [one, two] = [await team.viewer(ids[0]), await team.viewer(ids[1])];
      const outcomes = await Promise.all(
        round % 2 === 0
          ? [setRole(one, ids[1], 'USER'), setRole(two, ids[0], 'USER')]
          : [disable(one, ids[1]), disable(two, ids[0])],
      );
      expect(outcomes.toSorted()).toEqual(['NOT_PERMITTED', null]);
      await team.db.updateTable('app_user').set({ platform_role: 'USER' }).execute();
    }
  });

  it('[T-E5] stays when all administrators delete their accounts at once', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => team.user({ role: 'ADMIN' })));
    const outcomes = await Promise.all(
      ids.map((id) =>
        refusal(
          team.db.transaction().execute(async (tx) => {
            await leaveEverything(team, tx, id);
            await tx
              .updateTable('app_user')
              .set({ deleted_at: '2026-01-01' })
              .where('id', '=', id.slice(4))
              .execute();
          }),
        ),
      ),
    );
    expect(outcomes.filter((code) => code === 'LAST_ADMIN')).toHaveLength(1);
  });
});

describe('a disabled user', () => {
  it('is signed out everywhere, and comes back when enabled', async () => {
    const [admin, user] = [await team.user({ role: 'ADMIN' }), await team.user()];
    const viewer = await team.viewer(admin);
    team.told();
    team.ended();
    expect(await disable(viewer, user)).toBe(null);
    expect([team.ended(), team.told()]).toEqual([[user], [user]]);
    expect(await refusal(setUserDisabled(team, viewer, { userId: user, disabled: false }))).toBe(null);
    const row = await team.db
      .selectFrom('app_user')
      .select('disabled_at')
      .where('id', '=', user.slice(4))
      .executeTakeFirstOrThrow();
    expect(row.disabled_at).toBe(null);
  });
});
