import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { deleteSubjectKeys } from '../../src/db/subject-key.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { type MemberId, newId } from '../../src/lib/ids.ts';
import { sealContext } from '../../src/privacy/context.ts';
import { open, SealBrokenError, seal } from '../../src/privacy/envelope.ts';
import { KEY_AGE_MAX_MS, WrongMasterKeyError } from '../../src/privacy/key-ring.ts';
import { type MasterKey, parseMasterKey } from '../../src/privacy/master-key.ts';
import { checkMasterKey, createVault, type Vault } from '../../src/privacy/vault.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const database: TestDatabase = await createTestDatabase();
const masterKey = newMasterKey();
const channelId = newId('channel', 1);
const otherChannelId = newId('channel', 1);

afterAll(() => database[Symbol.asyncDispose]());

function newMasterKey(): MasterKey {
  return parseMasterKey(randomBytes(32).toString('base64'));
}

function newVault(options: { clock?: Clock; masterKey?: MasterKey; keysMax?: number } = {}): Vault {
  const { clock = { nowMs: () => 0 }, keysMax } = options;
  const deps = { db: database.db, masterKey: options.masterKey ?? masterKey, clock };
  return createVault(deps, keysMax === undefined ? {} : { keysMax });
}

function newMembers(count: number): MemberId[] {
  return Array.from({ length: count }, () => newId('member', Date.now()));
}

async function countKeys(ids: readonly MemberId[]): Promise<number> {
  const rows = await database.db.selectFrom('subject_key').select('subject_id').execute();
  const found = new Set(rows.map((row) => row.subject_id.replaceAll('-', '')));
  return ids.filter((id) => found.has(id.slice(4))).length;
}

describe('keyed hashes', () => {
  const vault = newVault();
  const user = { channelId, provider: 'TIKTOK', userId: '7001' } as const;

  it('find the same person again, also after a restart', () => {
    expect(newVault().userHash(user)).toEqual(vault.userHash(user));
    expect(vault.userHash(user).length).toBe(16);
    expect(newVault().alias(user)).toBe(vault.alias(user));
    expect(vault.alias(user)).toMatch(/^viewer-[0-9a-f]{8}$/);
  });

  it('[T-I1] differ between channels, providers, purposes and installations, so that nothing links a person up', () => {
    const hashes = [
      vault.userHash(user),
      vault.userHash({ ...user, channelId: otherChannelId }),
      vault.userHash({ ...user, provider: 'PLATFORM' }),
      vault.handleHash({ channelId, handle: user.userId }),
      vault.profileHash({ channelId, profile: user.userId }),
      newVault({ masterKey: newMasterKey() }).userHash(user),
    ];
    expect(new Set(hashes.map((hash) => hash.toString('hex'))).size).toBe(6);
    const aliases = [vault.alias(user), vault.alias({ ...user, channelId: otherChannelId })];
    expect(new Set(aliases).size).toBe(2);
    expect(vault.pseudonym({ channelId, value: 'a' })).not.toBe(
      vault.pseudonym({ channelId: otherChannelId, value: 'a' }),
    );
  });

  it('keep apart what shares characters across fields', () => {
    const one = vault.userHash({ channelId, provider: 'TIKTOK', userId: '12' });
    const other = vault.userHash({ channelId, provider: 'TIKTOK', userId: '1' });
    expect(one.equals(other)).toBe(false);
  });

  it('find a handle however it is written', () => {
    const spelt = ['Alice.Live', '@alice.live', ' ALICE.live ', 'ａlice.live'];
    const hashes = spelt.map((handle) => vault.handleHash({ channelId, handle }).toString('hex'));
    expect(new Set(hashes).size).toBe(1);
  });
});

describe('data keys', () => {
  it('are made for a whole batch at once and found again by another process', async () => {
    const ids = newMembers(300);
    const made = await newVault().dataKeys(ids, { create: true });
    const read = await newVault().dataKeys(ids, { create: false });
    expect(made.size).toBe(300);
    for (const id of ids) {
      const [maker, reader] = [made.get(id), read.get(id)];
      if (maker === undefined || reader === undefined) throw new Error('a key is missing');
      expect(open(reader, 'x', seal(maker, 'x', id)).toString()).toBe(id);
    }
  });

  it('are the same for eight processes that want them at the same time', async () => {
    const ids = newMembers(200);
    const vaults = Array.from({ length: 8 }, () => newVault());
    const results = await Promise.all(vaults.map((vault) => vault.dataKeys(ids, { create: true })));
    const [first] = results;
    for (const keys of results) {
      for (const id of ids) {
        const [one, other] = [first?.get(id), keys.get(id)];
        if (one === undefined || other === undefined) throw new Error('a key is missing');
        expect(open(other, 'x', seal(one, 'x', 'same')).toString()).toBe('same');
      }
    }
    expect(await countKeys(ids)).toBe(200);
  });

  it('are not made unless asked for', async () => {
    const ids = newMembers(3);
    expect(await newVault().dataKeys(ids, { create: false })).toEqual(new Map());
    expect(await countKeys(ids)).toBe(0);
  });

  it('[T-I2] [T-I7] once destroyed, leave what they sealed unreadable: nothing is found, and it is no error', async () => {
    const [id] = newMembers(1) as [MemberId];
    let nowMs = 0;
    const vault = newVault({ clock: { nowMs: () => nowMs } });
    const key = (await vault.dataKeys([id], { create: true })).get(id);
    if (key === undefined) throw new Error('a key is missing');
    const sealed = seal(key, sealContext.profile(id), 'Alice');
    await deleteSubjectKeys(database.db, [id]);

    expect(await newVault().dataKeys([id], { create: false })).toEqual(new Map());
    nowMs = KEY_AGE_MAX_MS; // and no cache keeps it longer than that
    expect(await vault.dataKeys([id], { create: false })).toEqual(new Map());

    const successor = (await vault.dataKeys([id], { create: true })).get(id);
    if (successor === undefined) throw new Error('a key is missing');
    expect(() => open(successor, sealContext.profile(id), sealed)).toThrow(SealBrokenError);
  });

  it('of a transaction that is rolled back are forgotten with it', async () => {
    const [id] = newMembers(1) as [MemberId];
    const vault = newVault();
    await expect(
      database.db.transaction().execute(async (tx) => {
        expect((await vault.dataKeys([id], { create: true }, tx)).size).toBe(1);
        expect((await vault.dataKeys([id], { create: false }, tx)).size).toBe(1);
        throw new Error('roll back');
      }),
    ).rejects.toThrow('roll back');
    expect(await vault.dataKeys([id], { create: false })).toEqual(new Map());
  });

  it('in the cache are limited in number, the longest unused going first', async () => {
    const ids = newMembers(5);
    const vault = newVault({ keysMax: 3 });
    await vault.dataKeys(ids, { create: true });
    await deleteSubjectKeys(database.db, ids);
    // What is still found can only come from the cache.
    expect([...(await vault.dataKeys(ids, { create: false })).keys()]).toEqual(ids.slice(2));
  });

  it('[T-I2] moved to another subject’s row are refused', async () => {
    const [alice, bob] = newMembers(2) as [MemberId, MemberId];
    await newVault().dataKeys([alice, bob], { create: true });
    const uuid = (id: MemberId) => id.slice(4);
    const { wrapped_key } = await database.db
      .selectFrom('subject_key')
      .select('wrapped_key')
      .where('subject_id', '=', uuid(alice))
      .executeTakeFirstOrThrow();
    await database.db
      .updateTable('subject_key')
      .set({ wrapped_key })
      .where('subject_id', '=', uuid(bob))
      .execute();
    await expect(newVault().dataKeys([bob], { create: false })).rejects.toThrow(SealBrokenError);
  });

  it('[T-I2] of another master key are refused, in one clear sentence and at the start', async () => {
    const ids = newMembers(1);
    await newVault().dataKeys(ids, { create: true });
    const wrong = newMasterKey();
    await expect(newVault({ masterKey: wrong }).dataKeys(ids, { create: false })).rejects.toThrow(
      WrongMasterKeyError,
    );
    await expect(checkMasterKey({ db: database.db, masterKey: wrong })).rejects.toThrow(
      'The master key is not the one this database was made with: give the key that belongs to it.',
    );
    await expect(checkMasterKey({ db: database.db, masterKey })).resolves.toBeUndefined();
  });
});
