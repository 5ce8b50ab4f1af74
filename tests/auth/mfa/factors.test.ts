import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginPasskey, type FactorOwner, finishPasskey } from '../../../src/auth/mfa/enrolment.ts';
import {
  FactorNotFoundError,
  FactorRefusedError,
  LastFactorError,
} from '../../../src/auth/mfa/factor-errors.ts';
import {
  factorsOf,
  regenerateRecoveryCodes,
  removePasskey,
  removeTotp,
  renamePasskey,
} from '../../../src/auth/mfa/factors.ts';
import { mfaStateOf, STEP_UP_MS } from '../../../src/auth/mfa/mfa-state.ts';
import { beginChallenge, verifyFactor } from '../../../src/auth/mfa/verification.ts';
import { newId } from '../../../src/lib/ids.ts';
import { createAuthenticator } from './software-authenticator.ts';
import { type MfaFixture, ORIGIN, startMfa } from './support.ts';

let mfa: MfaFixture;
beforeAll(async () => {
  mfa = await startMfa();
});
afterAll(() => mfa[Symbol.asyncDispose]());

const recover = (owner: FactorOwner, code: string) =>
  verifyFactor(mfa.deps, owner, { kind: 'RECOVERY_CODE', code });

async function addPasskey(owner: FactorOwner, name: string): Promise<FactorOwner> {
  const attestation = createAuthenticator(ORIGIN).create(await beginPasskey(mfa.deps, owner));
  const { issued } = await finishPasskey(mfa.deps, owner, { name, attestation });
  return { userId: owner.userId, signInId: issued.session.id };
}

describe('recovery codes', () => {
  it('are ten of 128 bits, kept as hashes, and good in any spelling', async () => {
    const { owner, recoveryCodes } = await mfa.withTotp(await mfa.signedIn());
    expect(new Set(recoveryCodes).size).toBe(10);
    for (const code of recoveryCodes) expect(code).toMatch(/^([a-z2-7]{5}-){5}[a-z2-7]$/);
    const [first = ''] = recoveryCodes;
    const issued = await recover(owner, ` ${first.toUpperCase().replaceAll('-', ' ')}`);
    expect(issued.session.mfaAt).toBe(mfa.clock.ms);
    const rows = await mfa.database.db.selectFrom('recovery_code').selectAll().execute();
    const stored = JSON.stringify(rows) + rows.map((row) => row.code_hash.toString('latin1')).join();
    for (const code of recoveryCodes) expect(stored).not.toContain(code.replaceAll('-', ''));
  });

  it('[T-S4] work once, also when twenty come at the same time', async () => {
    const { owner, recoveryCodes } = await mfa.withTotp(await mfa.signedIn());
    const [code = ''] = recoveryCodes;
    const owners = await Promise.all(Array.from({ length: 20 }, () => mfa.signInAgain(owner.userId)));
    const results = await Promise.allSettled(owners.map((each) => recover(each, code)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    mfa.clock.ms += 5 * 60_000;
    await expect(recover(owner, code)).rejects.toThrow(FactorRefusedError);
    expect((await factorsOf(mfa.deps, owner.userId)).recoveryCodesLeft).toBe(9);
  });

  it("[T-S4] are their user's own, and the earlier ones end with new ones", async () => {
    const alice = await mfa.withTotp(await mfa.signedIn());
    const mallory = await mfa.withTotp(await mfa.signedIn());
    const [hers = '', hersToo = ''] = alice.recoveryCodes;
    await expect(recover(mallory.owner, hers)).rejects.toThrow(FactorRefusedError);
    const fresh = await regenerateRecoveryCodes(mfa.deps, alice.owner.userId);
    await expect(recover(alice.owner, hersToo)).rejects.toThrow(FactorRefusedError);
    expect((await recover(alice.owner, fresh[0] ?? '')).session.userId).toBe(alice.owner.userId);
  });

  it('stand in for a factor: who has none has no codes', async () => {
    const owner = await mfa.signedIn();
    await expect(regenerateRecoveryCodes(mfa.deps, owner.userId)).rejects.toThrow(FactorNotFoundError);
  });
});

describe('factors', () => {
  it('are listed with their names, can be renamed, and are removed', async () => {
    const { owner } = await mfa.withTotp(await mfa.signedIn());
    await addPasskey(owner, 'My phone');
    const { passkeys, totpSince } = await factorsOf(mfa.deps, owner.userId);
    expect(totpSince).toBe(mfa.clock.ms);
    expect(passkeys).toMatchObject([{ name: 'My phone', createdAt: mfa.clock.ms, lastUsedAt: null }]);
    const id = passkeys[0]?.id ?? newId('passkey', 0);
    await renamePasskey(mfa.deps, { userId: owner.userId, id, name: 'Old phone' });
    expect((await factorsOf(mfa.deps, owner.userId)).passkeys[0]?.name).toBe('Old phone');
    await removePasskey(mfa.deps, { userId: owner.userId, id });
    await removeTotp(mfa.deps, owner.userId);
    expect(await factorsOf(mfa.deps, owner.userId)).toEqual({
      totpSince: null,
      passkeys: [],
      recoveryCodesLeft: 0,
    });
  });

  it('[T-S4] of others can be neither renamed nor removed', async () => {
    const alice = await addPasskey(await mfa.signedIn(), 'Key');
    const mallory = await mfa.signedIn();
    const id = (await factorsOf(mfa.deps, alice.userId)).passkeys[0]?.id ?? newId('passkey', 0);
    const asMallory = { userId: mallory.userId, id };
    await expect(removePasskey(mfa.deps, asMallory)).rejects.toThrow(FactorNotFoundError);
    await expect(renamePasskey(mfa.deps, { ...asMallory, name: 'x' })).rejects.toThrow(FactorNotFoundError);
    expect((await factorsOf(mfa.deps, alice.userId)).passkeys).toMatchObject([{ id, name: 'Key' }]);
  });

  it.each(['ADMIN', 'COMPLIANCE'] as const)(
    '[T-S4] of %s are never fewer than one, also when both go at the same time',
    async (role) => {
      const { owner } = await mfa.withTotp(await mfa.signedIn({ role }));
      await expect(removeTotp(mfa.deps, owner.userId)).rejects.toThrow(LastFactorError);
      await addPasskey(owner, 'Key');
      const id = (await factorsOf(mfa.deps, owner.userId)).passkeys[0]?.id ?? newId('passkey', 0);
      const results = await Promise.allSettled([
        removeTotp(mfa.deps, owner.userId),
        removePasskey(mfa.deps, { userId: owner.userId, id }),
      ]);
      expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      const left = await factorsOf(mfa.deps, owner.userId);
      expect((left.totpSince === null ? 0 : 1) + left.passkeys.length).toBe(1);
      expect(left.recoveryCodesLeft).toBe(10);
    },
  );
});

describe('the password as a step-up', () => {
  const byPassword = (owner: FactorOwner, password: string) =>
    verifyFactor(mfa.deps, owner, { kind: 'PASSWORD', password });

  it('serves who has no factor', async () => {
    const owner = await mfa.signedIn();
    await expect(byPassword(owner, 'wrong')).rejects.toThrow(FactorRefusedError);
    expect((await byPassword(owner, 'right')).session.mfaAt).toBe(mfa.clock.ms);
    const passwordless = await mfa.signedIn({ password: false });
    await expect(byPassword(passwordless, 'right')).rejects.toThrow(FactorRefusedError);
    expect((await beginChallenge(mfa.deps, passwordless)).kinds).toEqual([]);
  });

  it('[T-S4] is worth nothing to who has a factor', async () => {
    const { owner } = await mfa.withTotp(await mfa.signedIn());
    const stolen = await mfa.signInAgain(owner.userId);
    await expect(byPassword(stolen, 'right')).rejects.toThrow(FactorRefusedError);
    expect((await mfa.deps.sessions.find(stolen.signInId))?.mfaAt).toBeNull();
    expect((await beginChallenge(mfa.deps, stolen)).kinds).toEqual(['CODE', 'RECOVERY_CODE']);
  });
});

describe('what a sign-in owes', () => {
  const facts = { platformRole: 'USER', hasFactor: false, mfaAtMs: null, signedInAtMs: 1_000 } as const;

  it.each(['ADMIN', 'COMPLIANCE'] as const)('[T-S4] is a factor for %s, who must enrol one', (role) => {
    expect(mfaStateOf({ ...facts, platformRole: role }).mfa).toBe('MISSING');
    // The password alone does not make up for it.
    expect(mfaStateOf({ ...facts, platformRole: role, mfaAtMs: 2_000 }).mfa).toBe('MISSING');
    expect(mfaStateOf({ ...facts, platformRole: role, hasFactor: true, mfaAtMs: 2_000 }).mfa).toBe('DONE');
  });

  it('[T-S4] is a factor for whoever has one, and only that makes it fresh', () => {
    expect(mfaStateOf({ ...facts, hasFactor: true })).toEqual({ mfa: 'MISSING', freshUntilMs: null });
    expect(mfaStateOf({ ...facts, hasFactor: true, mfaAtMs: 2_000 })).toEqual({
      mfa: 'DONE',
      freshUntilMs: 2_000 + STEP_UP_MS,
    });
  });

  it('is nothing for others, whose sign-in is fresh for five minutes', () => {
    expect(mfaStateOf(facts)).toEqual({ mfa: 'NOT_REQUIRED', freshUntilMs: 1_000 + STEP_UP_MS });
    expect(mfaStateOf({ ...facts, mfaAtMs: 9_000 }).freshUntilMs).toBe(9_000 + STEP_UP_MS);
  });
});
