import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginPasskey, type FactorOwner, finishPasskey } from '../../../src/auth/mfa/enrolment.ts';
import { FactorRefusedError, PasskeysUnavailableError } from '../../../src/auth/mfa/factor-errors.ts';
import { CHALLENGE_TTL_MS } from '../../../src/auth/mfa/passkeys.ts';
import { relyingPartyOf } from '../../../src/auth/mfa/relying-party.ts';
import { beginChallenge, verifyFactor } from '../../../src/auth/mfa/verification.ts';
import { createAuthenticator, type Deviation, type SoftwareAuthenticator } from './software-authenticator.ts';
import { type MfaFixture, ORIGIN, startMfa } from './support.ts';

let mfa: MfaFixture;
beforeAll(async () => {
  mfa = await startMfa();
});
afterAll(() => mfa[Symbol.asyncDispose]());

const OTHER_CHALLENGE = Buffer.alloc(32, 7).toString('base64url');

interface Holder {
  readonly owner: FactorOwner;
  readonly authenticator: SoftwareAuthenticator;
}

async function withPasskey(): Promise<Holder> {
  const owner = await mfa.signedIn();
  const authenticator = createAuthenticator(ORIGIN);
  const attestation = authenticator.create(await beginPasskey(mfa.deps, owner));
  const { issued } = await finishPasskey(mfa.deps, owner, { name: 'Key', attestation });
  return { owner: { userId: owner.userId, signInId: issued.session.id }, authenticator };
}

async function optionsFor(owner: FactorOwner): Promise<string> {
  const { passkeyOptions } = await beginChallenge(mfa.deps, owner);
  if (passkeyOptions === null) throw new Error('there is a passkey');
  return passkeyOptions;
}

async function show({ owner, authenticator }: Holder, deviation: Deviation = {}) {
  const assertion = authenticator.get(await optionsFor(owner), deviation);
  return verifyFactor(mfa.deps, owner, { kind: 'PASSKEY', assertion });
}

describe('a passkey', () => {
  it('is made, and completes a sign-in', async () => {
    const holder = await withPasskey();
    const owner = await mfa.signInAgain(holder.owner.userId);
    expect((await mfa.deps.sessions.find(owner.signInId))?.mfaAt).toBeNull();
    mfa.clock.ms += 1_000;
    const issued = await show({ ...holder, owner });
    expect(issued.session).toMatchObject({ userId: owner.userId, mfaAt: mfa.clock.ms });
    expect(await mfa.deps.sessions.find(owner.signInId)).toBeNull(); // under another token now
  });

  it('is asked for with the user verified, by algorithms that are no experiments', async () => {
    const options = JSON.parse(await beginPasskey(mfa.deps, await mfa.signedIn())) as {
      rp: { id: string };
      pubKeyCredParams: { alg: number }[];
      authenticatorSelection: { userVerification: string };
    };
    expect(options.rp.id).toBe('tally.example.org');
    expect(options.pubKeyCredParams.map(({ alg }) => alg)).toEqual([-8, -7, -257]);
    expect(options.authenticatorSelection.userVerification).toBe('required');
  });

  it.each<readonly [string, Deviation]>([
    ['another site', { origin: 'https://tally.example.org.evil.test' }],
    ['a page without TLS', { origin: 'http://tally.example.org' }],
    ["another site's passkey", { rpId: 'evil.test' }],
    ['a challenge that is not ours', { challenge: OTHER_CHALLENGE }],
    ['a user who was not verified', { userVerified: false }],
    ['an answer to another question', { type: 'webauthn.get' }],
  ])('[T-S4] is not made by %s', async (_who, deviation) => {
    const owner = await mfa.signedIn();
    const attestation = createAuthenticator(ORIGIN).create(await beginPasskey(mfa.deps, owner), deviation);
    await expect(finishPasskey(mfa.deps, owner, { name: 'Key', attestation })).rejects.toThrow(
      FactorRefusedError,
    );
    expect((await mfa.deps.sessions.find(owner.signInId))?.mfaAt).toBeNull();
  });

  it.each<readonly [string, Deviation]>([
    ['another site', { origin: 'https://evil.test' }],
    ["another site's passkey", { rpId: 'evil.test' }],
    ['a challenge that is not ours', { challenge: OTHER_CHALLENGE }],
    ['a user who was not verified', { userVerified: false }],
    ['an answer to another question', { type: 'webauthn.create' }],
  ])('[T-S4] is not shown by %s', async (_who, deviation) => {
    const holder = await withPasskey();
    await expect(show(holder, deviation)).rejects.toThrow(FactorRefusedError);
    expect((await show(holder)).session.mfaAt).toBe(mfa.clock.ms);
  });

  it('[T-S4] is not shown by a copy whose counter lags behind', async () => {
    const holder = await withPasskey();
    const issued = await show(holder, { counter: 10 });
    const owner = { userId: holder.owner.userId, signInId: issued.session.id };
    await expect(show({ ...holder, owner }, { counter: 10 })).rejects.toThrow(FactorRefusedError);
    await expect(show({ ...holder, owner }, { counter: 3 })).rejects.toThrow(FactorRefusedError);
    expect((await show({ ...holder, owner }, { counter: 11 })).session.userId).toBe(owner.userId);
  });

  it('[T-S4] answers a challenge once, within five minutes, in the sign-in it was made for', async () => {
    const holder = await withPasskey();
    const { owner, authenticator } = holder;
    const prove = (who: FactorOwner, options: string) =>
      verifyFactor(mfa.deps, who, { kind: 'PASSKEY', assertion: authenticator.get(options) });

    const options = await optionsFor(owner);
    const elsewhere = await mfa.signInAgain(owner.userId);
    await expect(prove(elsewhere, options)).rejects.toThrow(FactorRefusedError);
    const issued = await prove(owner, options);
    const going = { userId: owner.userId, signInId: issued.session.id };
    await expect(prove(going, options)).rejects.toThrow(FactorRefusedError);

    const late = await optionsFor(going);
    mfa.clock.ms += CHALLENGE_TTL_MS;
    await expect(prove(going, late)).rejects.toThrow(FactorRefusedError);
  });

  it("[T-S4] of somebody else's opens nothing", async () => {
    const alice = await withPasskey();
    const mallory = await withPasskey();
    await expect(show({ owner: alice.owner, authenticator: mallory.authenticator })).rejects.toThrow(
      FactorRefusedError,
    );
    // Nor can one be registered twice.
    const options = await beginPasskey(mfa.deps, mallory.owner);
    const attestation = alice.authenticator.create(options);
    await expect(finishPasskey(mfa.deps, mallory.owner, { name: 'x', attestation })).rejects.toThrow(
      FactorRefusedError,
    );
  });

  it('[T-S4] signed with another key opens nothing', async () => {
    const { owner, authenticator } = await withPasskey();
    const imposter = createAuthenticator(ORIGIN);
    const assertion = { ...imposter.get(await optionsFor(owner)), credentialId: authenticator.credentialId };
    await expect(verifyFactor(mfa.deps, owner, { kind: 'PASSKEY', assertion })).rejects.toThrow(
      FactorRefusedError,
    );
    const garbage = { credentialId: '', clientDataJson: '{', authenticatorData: '', signature: '' };
    await expect(verifyFactor(mfa.deps, owner, { kind: 'PASSKEY', assertion: garbage })).rejects.toThrow(
      FactorRefusedError,
    );
  });
});

describe('the domain of passkeys', () => {
  it.each([
    ['https://tally.example.org', { id: 'tally.example.org', origin: 'https://tally.example.org' }],
    [
      'https://tally.example.org:8443/x',
      { id: 'tally.example.org', origin: 'https://tally.example.org:8443' },
    ],
    ['http://127.0.0.1:4400', { id: 'localhost', origin: 'http://localhost:4400' }],
    ['http://localhost:4400', { id: 'localhost', origin: 'http://localhost:4400' }],
    ['http://[::1]:4400', { id: 'localhost', origin: 'http://localhost:4400' }],
    ['http://tally.example.org', null],
    ['https://192.0.2.7', null],
    ['https://[2001:db8::1]', null],
  ])('behind %s', (publicUrl, party) => {
    expect(relyingPartyOf(publicUrl)).toEqual(party);
  });

  it('is needed', async () => {
    const owner = await mfa.signedIn();
    const deps = { ...mfa.deps, publicUrl: 'https://192.0.2.7' };
    await expect(beginPasskey(deps, owner)).rejects.toThrow(PasskeysUnavailableError);
  });
});
