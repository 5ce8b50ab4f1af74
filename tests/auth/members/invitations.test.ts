import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  acceptInvitation,
  createInvitation,
  INVITATIONS_OPEN_MAX,
  revokeInvitation,
} from '../../../src/auth/members/invitations.ts';
import { setMemberRole } from '../../../src/auth/members/team.ts';
import type { Operator } from '../../../src/auth/viewer.ts';
import type { InvitedRole } from '../../../src/db/invitation.ts';
import { type ChannelId, newId, type UserId, uuidFromId } from '../../../src/lib/ids.ts';
import { addressHash, openTeam, refusal, type Team } from './support.ts';

let team: Team;
beforeAll(async () => {
  team = await openTeam();
});
afterAll(() => team[Symbol.asyncDispose]());

const operator: Operator = { kind: 'OPERATOR', accessKeyId: newId('accessKey', 1) };
const HOUR_MS = 3_600_000;

async function invite(
  inviter: UserId,
  channelId: ChannelId,
  options: { readonly role?: InvitedRole; readonly email?: string; readonly hours?: number } = {},
) {
  const { role = 'MODERATOR', email, hours = 24 } = options;
  const address = email === undefined ? null : { email, hash: addressHash(email) };
  return createInvitation(team, await team.viewer(inviter), { channelId, role, address, hours });
}
const accept = async (userId: UserId, token: string) =>
  refusal(acceptInvitation(team, await team.viewer(userId), token));

describe('an invitation by link', () => {
  it('makes whoever has it a member, once', async () => {
    const [owner, guest, second] = [await team.user(), await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [owner] });
    const { invitation, token } = await invite(owner, channelId);
    expect(token).toMatch(/^tli_[\w-]{43}$/);
    team.told();
    expect(await accept(guest, token)).toBe(null);
    expect(team.told()).toEqual([guest]);
    expect(await accept(second, token)).toBe('INVITATION_INVALID');
    expect(await accept(guest, token)).toBe('INVITATION_INVALID');
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER', [guest]: 'MODERATOR' });
    const row = await team.db
      .selectFrom('invitation')
      .selectAll()
      .where('id', '=', uuidFromId(invitation.id))
      .executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain(token.slice(4));
  });

  it('[T-E1] accepted by 20 at once lets one in', async () => {
    const owner = await team.user();
    const guests = await Promise.all(Array.from({ length: 20 }, () => team.user()));
    const channelId = await team.channel({ OWNER: [owner] });
    const { token } = await invite(owner, channelId);
    const outcomes = await Promise.all(guests.map((guest) => accept(guest, token)));
    expect(outcomes.filter((code) => code === null)).toHaveLength(1);
    expect(outcomes.filter((code) => code === 'INVITATION_INVALID')).toHaveLength(19);
    expect(Object.keys(await team.roles(channelId))).toHaveLength(2);
  });

  it('[T-E1] is good for nothing once it expired or was taken back, nor for an unverified account', async () => {
    const [owner, guest, unverified] = [
      await team.user(),
      await team.user(),
      await team.user({ verified: false }),
    ];
    const channelId = await team.channel({ OWNER: [owner] });
    const expiring = await invite(owner, channelId, { hours: 1 });
    const revoked = await invite(owner, channelId);
    expect(await accept(unverified, revoked.token)).toBe('EMAIL_UNVERIFIED');
    await revokeInvitation(team, await team.viewer(owner), revoked.invitation.id);
    expect(await accept(guest, revoked.token)).toBe('INVITATION_INVALID');
    team.clock.advance(HOUR_MS);
    expect(await accept(guest, expiring.token)).toBe('INVITATION_INVALID');
    for (const token of ['', 'tli_', `tli_${'a'.repeat(43)}`, `${expiring.token}\0`]) {
      expect(await accept(guest, token)).toBe('INVITATION_INVALID');
    }
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER' });
    const again = revokeInvitation(team, await team.viewer(owner), revoked.invitation.id);
    expect(await refusal(again)).toBe('INVITATION_NOT_FOUND');
  });

  it('never lowers who accepts it, and stays open for whom it was meant', async () => {
    const [owner, moderator, viewer, guest] = [
      await team.user(),
      await team.user(),
      await team.user(),
      await team.user(),
    ];
    const channelId = await team.channel({ OWNER: [owner], MODERATOR: [moderator], VIEWER: [viewer] });
    const low = await invite(owner, channelId, { role: 'VIEWER' });
    const high = await invite(owner, channelId, { role: 'MODERATOR' });
    expect(await accept(moderator, low.token)).toBe(null);
    expect(await accept(viewer, low.token)).toBe(null);
    expect(await accept(viewer, high.token)).toBe(null);
    expect(await accept(guest, low.token)).toBe(null);
    expect(await team.roles(channelId)).toEqual({
      [owner]: 'OWNER',
      [moderator]: 'MODERATOR',
      [viewer]: 'MODERATOR',
      [guest]: 'VIEWER',
    });
  });

  it('[T-E5] raises nobody who made it, and dies with the power to make it', async () => {
    const [one, two, friend] = [await team.user(), await team.user(), await team.user()];
    const channelId = await team.channel({ OWNER: [one, two] });
    const { token } = await invite(two, channelId);
    await setMemberRole(team, await team.viewer(one), { channelId, userId: two, role: 'VIEWER' });
    expect(await accept(two, token)).toBe('INVITATION_INVALID');
    expect(await accept(friend, token)).toBe('INVITATION_INVALID');
    await setMemberRole(team, await team.viewer(one), { channelId, userId: two, role: 'OWNER' });
    expect(await accept(two, token)).toBe('INVITATION_INVALID');
    await team.db
      .updateTable('app_user')
      .set({ disabled_at: '2026-01-01' })
      .where('id', '=', uuidFromId(two))
      .execute();
    expect(await accept(friend, token)).toBe('INVITATION_INVALID');
    expect(await team.roles(channelId)).toEqual({ [one]: 'OWNER', [two]: 'OWNER' });
  });
});

describe('an invitation by e-mail', () => {
  it('[T-E1] is accepted by the account with that verified address alone', async () => {
    const owner = await team.user();
    const [right, wrong] = [await team.user({ email: 'right@a.test' }), await team.user()];
    const unverified = await team.user({ email: 'unverified@a.test', verified: false });
    const channelId = await team.channel({ OWNER: [owner] });
    const { token } = await invite(owner, channelId, { email: 'right@a.test' });
    const toUnverified = await invite(owner, channelId, { email: 'unverified@a.test' });
    expect(await accept(wrong, token)).toBe('INVITATION_INVALID');
    expect(await accept(unverified, toUnverified.token)).toBe('EMAIL_UNVERIFIED');
    expect(await accept(right, toUnverified.token)).toBe('INVITATION_INVALID');
    expect(await accept(right, token)).toBe(null);
    expect(await team.roles(channelId)).toEqual({ [owner]: 'OWNER', [right]: 'MODERATOR' });
  });

  it('keeps the address sealed, and forgets it with its key once it is closed', async () => {
    const owner = await team.user();
    const guest = await team.user({ email: 'guest@b.test' });
    const channelId = await team.channel({ OWNER: [owner] });
    const expired = await invite(owner, channelId, { email: 'late@b.test', hours: 1 });
    const revoked = await invite(owner, channelId, { email: 'no@b.test' });
    const accepted = await invite(owner, channelId, { email: 'guest@b.test' });
    const ids = [expired, revoked, accepted].map(({ invitation }) => uuidFromId(invitation.id));
    const rows = () => team.db.selectFrom('invitation').selectAll().where('id', 'in', ids).execute();
    const keys = () => team.db.selectFrom('subject_key').selectAll().where('subject_id', 'in', ids).execute();
    for (const { email } of await rows()) expect(email?.toString('latin1')).not.toContain('b.test');
    expect(await keys()).toHaveLength(3);
    await revokeInvitation(team, await team.viewer(owner), revoked.invitation.id);
    expect(await accept(guest, accepted.token)).toBe(null);
    team.clock.advance(HOUR_MS);
    await invite(owner, channelId);
    expect((await rows()).map(({ email, email_hash }) => [email, email_hash])).toEqual(
      ids.map(() => [null, null]),
    );
    expect(await keys()).toEqual([]);
    expect(await accept(await team.user({ email: 'no@b.test' }), revoked.token)).toBe('INVITATION_INVALID');
  });

  it('is not made when its mail cannot be put into the outbox', async () => {
    const owner = await team.user();
    const channelId = await team.channel({ OWNER: [owner] });
    const request = { channelId, role: 'VIEWER', address: null, hours: 1 } as const;
    const failing = createInvitation(team, await team.viewer(owner), request, async () => {
      throw new Error('the outbox is full');
    });
    await expect(failing).rejects.toThrow('the outbox is full');
    const { rows } = await sql`select 1 from invitation where channel_id = ${uuidFromId(channelId)}`.execute(
      team.db,
    );
    expect(rows).toEqual([]);
  });
});

describe('who invites', () => {
  it('[T-E1] [T-E2] [T-I6] is an owner of that channel', async () => {
    const [owner, moderator, viewer, stranger] = [
      await team.user(),
      await team.user(),
      await team.user(),
      await team.user(),
    ];
    const channelId = await team.channel({ OWNER: [owner], MODERATOR: [moderator], VIEWER: [viewer] });
    await team.channel({ OWNER: [stranger] });
    const { invitation } = await invite(owner, channelId);
    expect(await refusal(invite(moderator, channelId))).toBe('NOT_PERMITTED');
    expect(await refusal(invite(viewer, channelId))).toBe('NOT_PERMITTED');
    expect(await refusal(invite(stranger, channelId))).toBe('CHANNEL_NOT_FOUND');
    const revoke = async (userId: UserId) =>
      refusal(revokeInvitation(team, await team.viewer(userId), invitation.id));
    expect(await revoke(moderator)).toBe('NOT_PERMITTED');
    expect(await revoke(viewer)).toBe('INVITATION_NOT_FOUND');
    expect(await revoke(stranger)).toBe('INVITATION_NOT_FOUND');
    expect(await revoke(owner)).toBe(null);
    expect(await refusal(acceptInvitation(team, operator, 'tli_'))).toBe('NOT_PERMITTED');
  });

  it('has a limit of open invitations', async () => {
    const owner = await team.user();
    const channelId = await team.channel({ OWNER: [owner] });
    const outcomes = await Promise.all(
      Array.from({ length: INVITATIONS_OPEN_MAX + 3 }, () => refusal(invite(owner, channelId, { hours: 1 }))),
    );
    expect(outcomes.filter((code) => code === 'TOO_MANY_INVITATIONS')).toHaveLength(3);
    team.clock.advance(HOUR_MS);
    expect(await refusal(invite(owner, channelId))).toBe(null);
  });
});
