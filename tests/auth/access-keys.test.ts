import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authenticate,
  ensureAccessKeys,
  operatorKey,
  overlayKey,
  rotateOverlayKey,
  stillValid,
} from '../../src/auth/access-keys.ts';
import { createInProcessBus } from '../../src/bus/in-process-bus.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { connectChannel } from '../../src/live/channels.ts';
import { parseMasterKey } from '../../src/privacy/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const newMasterKey = () => parseMasterKey(randomBytes(32).toString('base64'));
const bus = createInProcessBus({ clock });
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await bus.close();
});

describe('access keys', () => {
  it('are the same every time, and different by master key, purpose, channel and version', () => {
    const [master, other] = [newMasterKey(), newMasterKey()];
    const [one, two] = [newId('channel', 1), newId('channel', 1)];
    expect(operatorKey(master)).toMatch(/^tlk_[\w-]{43}$/);
    expect(overlayKey(master, one, 1)).toMatch(/^tlo_[\w-]{43}$/);
    expect(operatorKey(master)).toBe(operatorKey(master));
    const keys = [
      operatorKey(master),
      operatorKey(other),
      overlayKey(master, one, 1),
      overlayKey(master, one, 2),
      overlayKey(master, two, 1),
      overlayKey(other, one, 1),
    ];
    expect(new Set(keys.map((key) => key.slice(4))).size).toBe(keys.length);
  });

  it('open what they are for, from the first start on', async () => {
    const { db } = database;
    const masterKey = newMasterKey();
    const deps = { db, bus, clock, masterKey };
    expect(await authenticate(deps, operatorKey(masterKey))).toBeNull();
    await Promise.all([ensureAccessKeys(deps), ensureAccessKeys(deps), ensureAccessKeys(deps)]);
    await ensureAccessKeys(deps);
    const owner = await authenticate(deps, operatorKey(masterKey));
    expect(owner).toEqual({ kind: 'OPERATOR', accessKeyId: expect.stringMatching(/^key_/) });
    const channel = await connectChannel(deps, { handle: 'keys.one', provider: 'TIKTOK' });
    expect(await authenticate(deps, overlayKey(masterKey, channel.id, 1))).toEqual({
      kind: 'OVERLAY',
      channelId: channel.id,
      accessKeyId: expect.stringMatching(/^key_/),
    });
    const rows = await db.selectFrom('access_key').selectAll().execute();
    expect(rows.filter(({ revoked_at }) => revoked_at === null)).toHaveLength(2);
    // Only hashes are kept.
    const stored = JSON.stringify(rows) + rows.map(({ key_hash }) => key_hash.toString('latin1')).join();
    expect(stored).not.toContain(operatorKey(masterKey).slice(4));
  });

  it('stop working when they are rotated, at once and for good', async () => {
    const { db } = database;
    const masterKey = newMasterKey();
    const deps = { db, bus, clock, masterKey };
    const channel = await connectChannel(deps, { handle: 'keys.two', provider: 'TIKTOK' });
    await ensureAccessKeys(deps);
    const old = await authenticate(deps, overlayKey(masterKey, channel.id, 1));
    const owner = await authenticate(deps, operatorKey(masterKey));
    if (old === null || owner === null) throw new Error('both keys are valid');
    const told: string[] = [];
    const unlisten = await bus.listen('access', (payload) => told.push(payload));
    expect(await rotateOverlayKey(deps, channel.id)).toBe(true);
    expect(told).toEqual(['']);
    await unlisten();
    await ensureAccessKeys(deps);
    expect(await authenticate(deps, overlayKey(masterKey, channel.id, 1))).toBeNull();
    expect(await authenticate(deps, overlayKey(masterKey, channel.id, 2))).toMatchObject({ kind: 'OVERLAY' });
    expect(await stillValid(deps, [old.accessKeyId, owner.accessKeyId])).toEqual(
      new Set([owner.accessKeyId]),
    );
    expect(await rotateOverlayKey(deps, newId('channel', 1))).toBe(false);
  });

  it('rotated by two at the same time leave exactly one valid', async () => {
    const { db } = database;
    const masterKey = newMasterKey();
    const deps = { db, bus, clock, masterKey };
    const channel = await connectChannel(deps, { handle: 'keys.race', provider: 'TIKTOK' });
    await Promise.all([1, 2, 3].map(() => rotateOverlayKey(deps, channel.id)));
    const versions = await Promise.all(
      [1, 2, 3, 4, 5].map((version) => authenticate(deps, overlayKey(masterKey, channel.id, version))),
    );
    expect(versions.map((viewer) => viewer !== null)).toEqual([false, false, false, true, false]);
  });

  it('of another master key stop working when this one starts, and work again when that one does', async () => {
    const { db } = database;
    const [one, two] = [newMasterKey(), newMasterKey()];
    await ensureAccessKeys({ db, masterKey: one, clock });
    await ensureAccessKeys({ db, masterKey: two, clock });
    expect(await authenticate({ db }, operatorKey(one))).toBeNull();
    expect(await authenticate({ db }, operatorKey(two))).toMatchObject({ kind: 'OPERATOR' });
    await ensureAccessKeys({ db, masterKey: one, clock });
    expect(await authenticate({ db }, operatorKey(one))).toMatchObject({ kind: 'OPERATOR' });
    expect(await authenticate({ db }, operatorKey(two))).toBeNull();
  });

  it('are not looked up when they cannot be keys', async () => {
    const refusing = {
      db: new Proxy(database.db, {
        get: () => {
          throw new Error('the database was asked');
        },
      }),
    };
    for (const text of [
      '',
      'tlk_',
      `tlx_${'a'.repeat(43)}`,
      `tlk_${'a'.repeat(44)}`,
      `tlk_${'é'.repeat(43)}`,
      '\0',
    ]) {
      expect([text, await authenticate(refusing, text)]).toEqual([text, null]);
    }
  });
});
