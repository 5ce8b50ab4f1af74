import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticate, overlayKey } from '../../../src/auth/access-keys.ts';
import { leaveEverything } from '../../../src/auth/members/guards.ts';
import { setUserDisabled } from '../../../src/auth/members/platform.ts';
import {
  leaveChannel,
  removeMember,
  setMemberRole,
  transferOwnership,
} from '../../../src/auth/members/team.ts';
import { createClient } from '../../../src/clients/client.ts';
import { authenticateClientKey, createClientKey } from '../../../src/clients/client-key.ts';
import type { ChannelId, UserId } from '../../../src/lib/ids.ts';
import { openTeam, refusal, type Team } from './support.ts';

let team: Team;
beforeAll(async () => {
  team = await openTeam();
});
afterAll(() => team[Symbol.asyncDispose]());

interface Scene {
  readonly channelId: ChannelId;
  readonly goes: UserId;
  readonly stays: UserId;
  readonly moderator: UserId;
}

/** A channel with two owners and a moderator, each owner with a key of a client that they made. */
async function scene() {
  const [goes, stays, moderator] = [await team.user(), await team.user(), await team.user()];
  const channelId = await team.channel({ OWNER: [goes, stays], MODERATOR: [moderator] });
  const keyOf = async (userId: UserId) => {
    const viewer = await team.viewer(userId);
    const { id } = await createClient(team, viewer, { channelId, name: 'Board' });
    const request = { clientId: id, scopes: ['EVENTS_PII'], expiresInDays: 365 } as const;
    return (await createClientKey(team, viewer, request)).secret;
  };
  return { channelId, goes, stays, moderator, theirKey: await keyOf(goes), otherKey: await keyOf(stays) };
}

const overlayOf = (channelId: ChannelId, version: number) =>
  authenticate(team, overlayKey(team.masterKey, channelId, version));

const waysOut: readonly (readonly [string, (scene: Scene) => Promise<unknown>])[] = [
  [
    'is taken out',
    async ({ channelId, goes, stays }) =>
      removeMember(team, await team.viewer(stays), { channelId, userId: goes }),
  ],
  [
    'is made a moderator',
    async ({ channelId, goes, stays }) =>
      setMemberRole(team, await team.viewer(stays), { channelId, userId: goes, role: 'MODERATOR' }),
  ],
  [
    'makes themselves a viewer',
    async ({ channelId, goes }) =>
      setMemberRole(team, await team.viewer(goes), { channelId, userId: goes, role: 'VIEWER' }),
  ],
  ['leaves', async ({ channelId, goes }) => leaveChannel(team, await team.viewer(goes), channelId)],
  [
    'passes the channel on',
    async ({ channelId, goes, moderator }) =>
      transferOwnership(team, await team.viewer(goes), { channelId, userId: moderator }),
  ],
  [
    'deletes their account',
    async ({ goes }) => team.db.transaction().execute((tx) => leaveEverything(team, tx, goes)),
  ],
  [
    'is disabled',
    async ({ goes }) => {
      const admin = await team.viewer(await team.user({ role: 'ADMIN' }));
      return setUserDisabled(team, admin, { userId: goes, disabled: true });
    },
  ],
];

describe('an owner', () => {
  it.each(waysOut)(
    '[T-E1] who %s opens the channel no more with the overlay URL, nor with keys they made',
    async (_how, go) => {
      const here = await scene();
      const elsewhere = await scene();
      expect(await overlayOf(here.channelId, 1)).toMatchObject({ channelId: here.channelId });
      const ended = [await go(here)].flat();
      expect(ended).toEqual([{ overlayKeyReplacedOf: here.channelId, clientKeysRevoked: 1 }]);
      expect(await overlayOf(here.channelId, 1)).toBeNull();
      expect(await overlayOf(here.channelId, 2)).toMatchObject({ channelId: here.channelId });
      expect(await authenticateClientKey(team, here.theirKey)).toBeNull();
      // What others made goes on, and so does every other channel.
      expect(await authenticateClientKey(team, here.otherKey)).toMatchObject({ kind: 'CLIENT' });
      expect(await overlayOf(elsewhere.channelId, 1)).not.toBeNull();
      expect(await authenticateClientKey(team, elsewhere.theirKey)).not.toBeNull();
    },
  );

  it.each(waysOut.slice(0, 5))('who %s has that told to every process, for anybody', async (_how, go) => {
    const here = await scene();
    team.told();
    await go(here);
    expect(team.told()).toContain('');
  });

  it('who may not go keeps what they have, and so does a channel that a moderator leaves', async () => {
    const here = await scene();
    const viewer = await team.viewer(here.goes);
    await removeMember(team, viewer, { channelId: here.channelId, userId: here.moderator });
    expect(await overlayOf(here.channelId, 1)).not.toBeNull();
    await removeMember(team, viewer, { channelId: here.channelId, userId: here.stays });
    expect(await overlayOf(here.channelId, 2)).not.toBeNull();
    expect(await refusal(leaveChannel(team, viewer, here.channelId))).toBe('LAST_OWNER');
    expect(await overlayOf(here.channelId, 2)).not.toBeNull();
    expect(await authenticateClientKey(team, here.theirKey)).not.toBeNull();
  });
});

describe('a former owner', () => {
  it('[T-E1] [T-E4] makes no client and no key, whatever they were when they were authenticated', async () => {
    const { channelId, goes, stays } = await scene();
    const before = await team.viewer(goes);
    const { id } = await createClient(team, before, { channelId, name: 'Mine' });
    await removeMember(team, await team.viewer(stays), { channelId, userId: goes });
    const request = { clientId: id, scopes: ['EVENTS_PII'], expiresInDays: 365 } as const;
    expect(await refusal(createClientKey(team, before, request))).toBe('CLIENT_NOT_FOUND');
    expect(await refusal(createClient(team, before, { channelId, name: 'Late' }))).toBe('CHANNEL_NOT_FOUND');
    const keys = await team.db.selectFrom('client_key').selectAll().where('revoked_at', 'is', null).execute();
    expect(keys.filter((key) => key.client_id.replaceAll('-', '') === id.slice(4))).toEqual([]);
  });

  it('[T-E1] [T-E4] keeps no key that was made in the moment they were taken out', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { channelId, goes, stays } = await scene();
      const before = await team.viewer(goes);
      const { id } = await createClient(team, before, { channelId, name: 'Mine' });
      const request = { clientId: id, scopes: ['EVENTS_PII'], expiresInDays: 365 } as const;
      const owner = await team.viewer(stays);
      const [made] = await Promise.allSettled([
        createClientKey(team, before, request),
        removeMember(team, owner, { channelId, userId: goes }),
      ]);
      if (made.status === 'fulfilled') {
        expect(await authenticateClientKey(team, made.value.secret)).toBeNull();
      }
    }
  });
});
