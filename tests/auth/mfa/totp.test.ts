import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginTotp, type FactorOwner, finishTotp } from '../../../src/auth/mfa/enrolment.ts';
import {
  FactorRefusedError,
  TooManyFactorAttemptsError,
  TotpAlreadyEnrolledError,
} from '../../../src/auth/mfa/factor-errors.ts';
import { matchTotp, newTotpSecret, totpSecretText, totpUri } from '../../../src/auth/mfa/totp.ts';
import { verifyFactor } from '../../../src/auth/mfa/verification.ts';
import { type MfaFixture, START_MS, startMfa } from './support.ts';

let mfa: MfaFixture;
beforeAll(async () => {
  mfa = await startMfa();
});
afterAll(() => mfa[Symbol.asyncDispose]());

const verify = (owner: FactorOwner, code: string) => verifyFactor(mfa.deps, owner, { kind: 'CODE', code });

describe('codes of an authenticator app', () => {
  // RFC 6238, appendix B, SHA-1: the last six of its eight digits.
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('are those of RFC 6238 at %i s', (seconds, code) => {
    const secret = Buffer.from('12345678901234567890', 'ascii');
    expect(matchTotp(secret, { code, nowMs: seconds * 1000 })).toBe(Math.floor(seconds / 30));
  });

  it('fit one step early or late, and no further', () => {
    const secret = Buffer.from('12345678901234567890', 'ascii');
    const step = Math.floor(1_234_567_890 / 30);
    const at = (steps: number) => matchTotp(secret, { code: '005924', nowMs: (step + steps) * 30_000 });
    expect([-2, -1, 0, 1, 2].map(at)).toEqual([null, step, step, step, null]);
  });

  it('are six digits, with spaces if people like them', () => {
    const secret = Buffer.from('12345678901234567890', 'ascii');
    const match = (code: string) => matchTotp(secret, { code, nowMs: 1_234_567_890_000 });
    expect(match(' 005 924 ')).not.toBeNull();
    for (const code of ['5924', '00005924', '', '00592４', '005924x', '-05924'])
      expect(match(code)).toBeNull();
  });

  it('come from a secret of 160 bits that the QR code carries', () => {
    const secret = newTotpSecret();
    expect(secret).toHaveLength(20);
    expect(totpSecretText(secret)).toMatch(/^[A-Z2-7]{32}$/);
    const uri = new URL(totpUri(secret, 'alice@example.org'));
    expect(uri.protocol).toBe('otpauth:');
    expect(uri.searchParams.get('secret')).toBe(totpSecretText(secret));
    expect(uri.searchParams.get('issuer')).toBe('Tallylight');
  });
});

describe('an authenticator app', () => {
  it('counts once a first code confirms it, and is sealed in the database', async () => {
    const owner = await mfa.signedIn();
    const first = await beginTotp(mfa.deps, owner.userId);
    const { secret } = await beginTotp(mfa.deps, owner.userId); // asked again: the first is forgotten
    expect(secret).not.toBe(first.secret);
    await expect(finishTotp(mfa.deps, owner, mfa.code(first.secret))).rejects.toThrow(FactorRefusedError);
    await expect(verify(owner, mfa.code(secret))).rejects.toThrow(FactorRefusedError); // not confirmed
    const { issued, recoveryCodes } = await finishTotp(mfa.deps, owner, mfa.code(secret));
    expect(issued.session.mfaAt).toBe(mfa.clock.ms);
    expect(recoveryCodes).toHaveLength(10);
    await expect(beginTotp(mfa.deps, owner.userId)).rejects.toThrow(TotpAlreadyEnrolledError);
    const rows = await mfa.database.db.selectFrom('totp_factor').selectAll().execute();
    expect(JSON.stringify(rows.map(({ secret: sealed }) => sealed.toString('latin1')))).not.toContain(secret);
  });

  it('[T-S4] ends all other sign-ins when it is the first factor: none of them showed one', async () => {
    const owner = await mfa.signedIn();
    const other = await mfa.signInAgain(owner.userId);
    const { owner: going } = await mfa.withTotp(owner);
    expect(await mfa.deps.sessions.find(owner.signInId)).toBeNull();
    expect(await mfa.deps.sessions.find(other.signInId)).toBeNull();
    expect((await mfa.deps.sessions.list(owner.userId)).map(({ id }) => id)).toEqual([going.signInId]);
  });

  it('[T-S4] takes a code once: neither the confirming one nor any other again, nor an older one', async () => {
    const { owner, secret } = await mfa.withTotp(await mfa.signedIn());
    await expect(verify(owner, mfa.code(secret))).rejects.toThrow(FactorRefusedError);
    const older = mfa.code(secret);
    mfa.clock.ms += 60_000;
    const code = mfa.code(secret);
    const issued = await verify(owner, code);
    expect(issued.session).toMatchObject({ userId: owner.userId, mfaAt: mfa.clock.ms });
    const going = { userId: owner.userId, signInId: issued.session.id };
    await expect(verify(going, code)).rejects.toThrow(FactorRefusedError);
    await expect(verify(going, mfa.code(secret, -1))).rejects.toThrow(FactorRefusedError);
    await expect(verify(going, older)).rejects.toThrow(FactorRefusedError);
    expect((await mfa.deps.sessions.find(going.signInId))?.mfaAt).toBe(issued.session.mfaAt);
  });

  it('[T-S4] takes a code once of twenty that come at the same time, and turns the sign-in over once', async () => {
    const { owner, secret } = await mfa.withTotp(await mfa.signedIn());
    mfa.clock.ms += 60_000;
    const code = mfa.code(secret);
    const owners = await Promise.all(Array.from({ length: 20 }, () => mfa.signInAgain(owner.userId)));
    const results = await Promise.allSettled(owners.map((each) => verify(each, code)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const sessions = await mfa.deps.sessions.list(owner.userId);
    expect(sessions.filter(({ mfaAt }) => mfaAt === mfa.clock.ms)).toHaveLength(1);
  });

  it('[T-S4] cannot be guessed: after five wrong codes also the right one waits for five minutes', async () => {
    const { owner, secret } = await mfa.withTotp(await mfa.signedIn());
    mfa.clock.ms += 60_000;
    const wrong = mfa.code(secret) === '000000' ? '000001' : '000000';
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => verify(owner, wrong)));
    const errors = results.map((result) => (result.status === 'rejected' ? result.reason : null));
    expect(errors.filter((error) => error instanceof FactorRefusedError)).toHaveLength(5);
    expect(errors.filter((error) => error instanceof TooManyFactorAttemptsError)).toHaveLength(25);
    const refused = verify(owner, mfa.code(secret));
    await expect(refused).rejects.toMatchObject({ code: 'TOO_MANY_FACTOR_ATTEMPTS', retryAfterSeconds: 300 });
    mfa.clock.ms += 5 * 60_000;
    expect((await verify(owner, mfa.code(secret))).session.mfaAt).toBe(mfa.clock.ms);
  });

  it("[T-S4] is its user's own: a code of somebody else's opens nothing", async () => {
    const alice = await mfa.withTotp(await mfa.signedIn());
    const mallory = await mfa.withTotp(await mfa.signedIn());
    mfa.clock.ms += 60_000;
    await expect(verify(alice.owner, mfa.code(mallory.secret))).rejects.toThrow(FactorRefusedError);
    expect(mfa.clock.ms).toBeGreaterThan(START_MS);
  });
});
