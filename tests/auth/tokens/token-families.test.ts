import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RefreshTokenInvalidError, RefreshTokenRotatedError } from '../../../src/auth/tokens/token-errors.ts';
import type { ReuseReport } from '../../../src/auth/tokens/token-families.ts';
import { createTokens, type Tokens } from '../../../src/auth/tokens/tokens.ts';
import { createInProcessBus } from '../../../src/bus/in-process-bus.ts';
import { type Id, newId, uuidFromId } from '../../../src/lib/ids.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createVault, type Vault } from '../../../src/privacy/vault.ts';
import { insertBareUser } from '../../support/account.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const DAY_MS = 86_400_000;
const clock = { now: Date.UTC(2030, 0, 1), nowMs: () => clock.now };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const bus = createInProcessBus({ clock });
const reused: ReuseReport[] = [];
let database: TestDatabase;
let vault: Vault;
let tokens: Tokens;
beforeAll(async () => {
  database = await createTestDatabase();
  vault = createVault({ db: database.db, masterKey, clock });
  tokens = await createTokens({
    db: database.db,
    vault,
    bus,
    clock,
    masterKey,
    publicUrl: 'https://tally.example',
    onReuse: async (report) => {
      reused.push(report);
    },
  });
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await bus.close();
});

const newFamily = async (name = 'my laptop') => {
  const userId = await insertBareUser({ db: database.db, vault });
  return { userId, ...(await tokens.create({ userId, name, mfaAt: null })) };
};
const outcome = async (token: string) => {
  try {
    return (await tokens.exchange(token)).refreshToken;
  } catch (error) {
    if (error instanceof RefreshTokenInvalidError) return 'INVALID';
    if (error instanceof RefreshTokenRotatedError) return 'ROTATED';
    throw error;
  }
};
const stateOf = async (id: Id<'tokenFamily'>) =>
  database.db
    .selectFrom('token_family')
    .select(['generation', 'revoked_because'])
    .where('id', '=', uuidFromId(id))
    .executeTakeFirstOrThrow();

describe('refresh tokens', () => {
  it('are exchanged for the next one, again and again, until the family ends', async () => {
    const { userId, family, refreshToken } = await newFamily();
    expect(refreshToken).toMatch(/^tlr_[\w-]{43}$/);
    expect(family).toEqual({
      id: expect.stringMatching(/^tkf_/),
      userId,
      name: 'my laptop',
      createdAt: clock.now,
      lastUsedAt: clock.now,
      expiresAt: clock.now + 30 * DAY_MS,
    });
    let token = refreshToken;
    for (let day = 1; day < 30; day += 1) {
      clock.now += DAY_MS;
      const next = await tokens.exchange(token);
      expect(next.family).toEqual({ ...family, lastUsedAt: clock.now });
      token = next.refreshToken;
    }
    expect(await stateOf(family.id)).toEqual({ generation: 30, revoked_because: null });
    clock.now += DAY_MS;
    expect(await outcome(token)).toBe('INVALID');
    expect(await tokens.list(userId)).toEqual([]);
    expect(await tokens.sweep()).toBeGreaterThanOrEqual(1);
  });

  it('are kept as hashes alone, and their names sealed [T-S2]', async () => {
    const { refreshToken, family } = await newFamily('a name of somebody');
    const rows = await database.db
      .selectFrom('refresh_token')
      .selectAll()
      .where('family_id', '=', uuidFromId(family.id))
      .execute();
    expect(rows.map(({ token_hash }) => token_hash)).toEqual([
      createHash('sha256').update(refreshToken).digest(),
    ]);
    const stored = await database.db
      .selectFrom('token_family')
      .select('name')
      .where('id', '=', uuidFromId(family.id))
      .executeTakeFirst();
    expect(stored?.name?.toString('latin1')).not.toContain('somebody');
    for (const text of [
      rows[0]?.token_hash.toString('hex') ?? '',
      `tlr_${rows[0]?.token_hash.toString('base64url')}`,
      '',
      'tlr_',
      `${refreshToken} `,
      refreshToken.toUpperCase(),
    ]) {
      expect(await outcome(text)).toBe('INVALID');
    }
    expect(await outcome(refreshToken)).toMatch(/^tlr_/);
  });

  it('that come back revoke their family, which holds although the caller is refused [T-S2]', async () => {
    const { userId, family, refreshToken } = await newFamily();
    const second = await outcome(refreshToken);
    const third = await outcome(second);
    const told: string[] = [];
    const unlisten = await bus.listen('access', (payload) => told.push(payload));
    reused.length = 0;
    // Even within the time of grace: it is not the latest.
    expect(await outcome(refreshToken)).toBe('INVALID');
    expect(await stateOf(family.id)).toEqual({ generation: 3, revoked_because: 'REUSE' });
    expect(await outcome(third)).toBe('INVALID');
    expect(reused).toEqual([{ userId, familyId: family.id }]);
    expect(told).toEqual([userId]);
    expect(await tokens.list(userId)).toEqual([]);
    await unlisten();
  });

  it('are let off for 10 s when they are the latest, with nothing [T-S2]', async () => {
    const { family, refreshToken } = await newFamily();
    const second = await outcome(refreshToken);
    clock.now += 10_000;
    expect(await outcome(refreshToken)).toBe('ROTATED');
    expect(await stateOf(family.id)).toEqual({ generation: 2, revoked_because: null });
    clock.now += 1;
    expect(await outcome(refreshToken)).toBe('INVALID');
    expect(await stateOf(family.id)).toEqual({ generation: 2, revoked_because: 'REUSE' });
    expect(await outcome(second)).toBe('INVALID');
  });

  it('are exchanged once by fifty who try at once; the family goes on [T-S2]', async () => {
    const { family, refreshToken } = await newFamily();
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(refreshToken)));
    const won = outcomes.filter((each) => each.startsWith('tlr_'));
    expect(won).toHaveLength(1);
    expect(outcomes.filter((each) => each === 'ROTATED')).toHaveLength(49);
    expect(await stateOf(family.id)).toEqual({ generation: 2, revoked_because: null });
    expect(await outcome(won[0] ?? '')).toMatch(/^tlr_/);
  });

  it('that come back fifty times at once revoke their family once [T-S2]', async () => {
    const { family, refreshToken } = await newFamily();
    await outcome(refreshToken);
    clock.now += 10_001;
    reused.length = 0;
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(refreshToken)));
    expect(new Set(outcomes)).toEqual(new Set(['INVALID']));
    expect(reused).toHaveLength(1);
    expect(await stateOf(family.id)).toMatchObject({ revoked_because: 'REUSE' });
  });

  it('are revoked by their user, one family or all, and by nobody else', async () => {
    const { userId, family, refreshToken } = await newFamily();
    const [second, third] = [
      await tokens.create({ userId, name: 'b', mfaAt: null }),
      await tokens.create({ userId, name: 'c', mfaAt: null }),
    ];
    expect(await tokens.revoke({ userId: newId('user', 1), id: family.id })).toBe(false);
    expect(await tokens.revoke({ userId, id: family.id })).toBe(true);
    expect(await tokens.revoke({ userId, id: family.id })).toBe(false);
    expect(await outcome(refreshToken)).toBe('INVALID');
    expect(await stateOf(family.id)).toMatchObject({ revoked_because: 'USER' });
    expect((await tokens.list(userId)).map(({ name }) => name).toSorted()).toEqual(['b', 'c']);
    expect(await tokens.revokeAll(userId)).toBe(2);
    expect([await outcome(second.refreshToken), await outcome(third.refreshToken)]).toEqual([
      'INVALID',
      'INVALID',
    ]);
  });
});
