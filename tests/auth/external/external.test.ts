import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteAccount } from '../../../src/auth/accounts/account-change.ts';
import { requestPasswordReset, resetPassword } from '../../../src/auth/accounts/password-reset.ts';
import { signIn } from '../../../src/auth/accounts/sign-in.ts';
import { actOnClerkEvent } from '../../../src/auth/external/clerk/webhook.ts';
import type { ExternalDeps } from '../../../src/auth/external/deps.ts';
import {
  ExternalIdentityLimitError,
  ExternalIdentityNotLinkedError,
  ExternalIdentityTakenError,
  ExternalSignInRefusedError,
  LastSignInWayError,
} from '../../../src/auth/external/errors.ts';
import {
  IDENTITIES_MAX,
  linkedIdentities,
  linkIdentity,
  unlinkIdentity,
} from '../../../src/auth/external/link.ts';
import { beginFlow, FLOW_SECONDS, resumeFlow } from '../../../src/auth/external/oidc/flow.ts';
import type { ExternalProfile, ProvenIdentity } from '../../../src/auth/external/proof.ts';
import { parseReturnPath } from '../../../src/auth/external/return-path.ts';
import { createExternalProviders } from '../../../src/auth/external/settings.ts';
import { signInExternally } from '../../../src/auth/external/sign-in.ts';
import { selectExternalIdentities } from '../../../src/db/external-identity.ts';
import { deleteExpiredMemories, rememberOnce, rememberUntil } from '../../../src/db/external-memory.ts';
import { newId, type UserId } from '../../../src/lib/ids.ts';
import { sha256 } from '../../../src/lib/sha256.ts';
import { type AccountFixture, codeIn, createAccountFixture, GOOD_PASSWORD } from '../accounts/support.ts';
import { type HostileProvider, startHostileProvider } from './hostile-provider.ts';
import { settingsFor } from './support.ts';

let accounts: AccountFixture;
let idp: HostileProvider;
let deps: ExternalDeps;
let issuer: string;
beforeAll(async () => {
  accounts = await createAccountFixture();
  idp = await startHostileProvider('tallylight');
  issuer = idp.issuer;
  const oidc = settingsFor({ issuer, clientId: 'tallylight', clientSecret: 'x' }, 'house');
  deps = {
    ...accounts.deps,
    externalProviders: createExternalProviders({ clerk: null, oidc: [oidc] }, accounts.deps),
  };
});
afterAll(async () => {
  await idp[Symbol.asyncDispose]();
  await accounts[Symbol.asyncDispose]();
});

/** Somebody whom the provider has proven, and vouches for unless told otherwise. */
function proven(
  subject: string,
  more: Partial<ProvenIdentity> & { readonly profile?: () => Promise<ExternalProfile> } = {},
): ProvenIdentity {
  const profile = async () => ({ email: `${subject}@example.org`, emailVerified: true, displayName: null });
  return { issuer, subject, sessionId: null, opensAccounts: true, profile, ...more };
}
const enter = (identity: ProvenIdentity) =>
  signInExternally(deps, {
    proven: identity,
    address: '192.0.2.7',
    userAgent: 'a browser',
    sessionCookie: null,
  });

/** Links what may have been unlinked. */
const linkAgain = (here: ExternalDeps, userId: UserId, identity: ProvenIdentity) =>
  linkIdentity(here, { userId, proven: identity });

describe('an identity from elsewhere', () => {
  it('[T-S5] is of its issuer: the same subject of another one is somebody else', async () => {
    const first = await enter(proven('same'));
    await expect(enter(proven('same', { issuer: 'https://other.example' }))).rejects.toThrow(
      ExternalIdentityNotLinkedError,
    );
    const other = await enter(
      proven('same', {
        issuer: 'https://other.example',
        profile: async () => ({ email: 'same-2@example.org', emailVerified: true, displayName: null }),
      }),
    );
    expect(other.userId).not.toBe(first.userId);
  });

  it('makes no account where the provider is not to', async () => {
    await expect(enter(proven('closed', { opensAccounts: false }))).rejects.toThrow(
      ExternalIdentityNotLinkedError,
    );
    const known = await enter(proven('closed'));
    expect((await enter(proven('closed', { opensAccounts: false }))).userId).toBe(known.userId);
  });

  it('takes a name that we would not take from a person for none', async () => {
    const profile = async () => ({
      email: 'long@example.org',
      emailVerified: true,
      displayName: 'x'.repeat(81),
    });
    const { userId } = await enter(proven('long', { profile }));
    const { rows } = await sql<{ display_name: Buffer | null }>`
      select display_name from app_user where id = ${userId.slice(4)}::uuid`.execute(accounts.db);
    expect(rows).toEqual([{ display_name: null }]);
  });

  it('[T-S1] leaves an account that can have a password by mail, and can be signed in to with both then', async () => {
    const { userId } = await enter(proven('mail'));
    const [identity] = await selectExternalIdentities(deps.db, userId);
    const id = identity?.id ?? expect.fail('there is an identity');
    await expect(unlinkIdentity(deps, { userId, id, asking: null })).rejects.toThrow(LastSignInWayError);
    await (await requestPasswordReset(deps, { email: 'mail@example.org', address: null })).sent;
    const token = codeIn(await accounts.mail('mail@example.org', /new password/));
    await resetPassword(deps, { token, password: GOOD_PASSWORD, address: null });
    const request = { email: 'mail@example.org', password: GOOD_PASSWORD, address: null, userAgent: null };
    expect((await signIn(deps, { ...request, deviceCookie: null, sessionCookie: null })).userId).toBe(userId);
    expect((await enter(proven('mail'))).userId).toBe(userId);
    await unlinkIdentity(deps, { userId, id, asking: null });
    await accounts.mail('mail@example.org', /was removed/);
    await expect(enter(proven('mail'))).rejects.toThrow(ExternalIdentityNotLinkedError);
  });

  it('[T-S5] counts as a way to sign in only while its provider is set up', async () => {
    const { userId } = await enter(proven('old-way'));
    accounts.pass(1); // their order is that of time
    await linkIdentity(deps, { userId, proven: proven('old-way', { issuer: 'https://gone.example' }) });
    const identities = await linkedIdentities(deps, userId);
    expect(identities.map(({ provider }) => provider)).toEqual(['house', null]);
    const [house, gone] = identities;
    const unlink = (id = house?.id) =>
      unlinkIdentity(deps, { userId, id: id ?? expect.fail('it is linked'), asking: null });
    await expect(unlink()).rejects.toThrow(LastSignInWayError);
    await unlink(gone?.id);
  });

  it('[T-S5] leaves one of two that are unlinked at once', async () => {
    const { userId } = await enter(proven('both'));
    await linkIdentity(deps, { userId, proven: proven('both-2') });
    const held = await selectExternalIdentities(deps.db, userId);
    const results = await Promise.allSettled(
      held.map(({ id }) => unlinkIdentity(deps, { userId, id, asking: null })),
    );
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await selectExternalIdentities(deps.db, userId)).toHaveLength(1);
  });

  it('[T-S5] goes to one of several that link it at once', async () => {
    const users = await Promise.all([1, 2, 3, 4].map(async (n) => (await enter(proven(`race-${n}`))).userId));
    const results = await Promise.allSettled(
      users.map((userId) => linkIdentity(deps, { userId, proven: proven('wanted') })),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(3);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(ExternalIdentityTakenError);
  });

  it('is one of ten at most, also when several come at once', async () => {
    const { userId } = await enter(proven('many'));
    const more = Array.from({ length: IDENTITIES_MAX + 2 }, (_, n) => proven(`many-${n}`));
    const results = await Promise.allSettled(
      more.map((each) => linkIdentity(deps, { userId, proven: each })),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(3);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(ExternalIdentityLimitError);
    expect(await selectExternalIdentities(deps.db, userId)).toHaveLength(IDENTITIES_MAX);
  });

  it('[T-S5] opens nothing when it is unlinked while somebody signs in with it', async () => {
    const { userId } = await enter(proven('meanwhile'));
    accounts.pass(1); // their order is that of time
    await linkIdentity(deps, { userId, proven: proven('meanwhile-2') });
    const [identity] = await selectExternalIdentities(deps.db, userId);
    const id = identity?.id ?? expect.fail('there is an identity');
    const before = (await deps.sessions.list(userId)).length;
    // Between looking it up and making the session.
    const unlinking: ExternalDeps = {
      ...deps,
      sessions: {
        ...deps.sessions,
        create: async (request) => {
          await unlinkIdentity(deps, { userId, id, asking: null });
          return deps.sessions.create(request);
        },
      },
    };
    const attempt = signInExternally(unlinking, {
      proven: proven('meanwhile'),
      address: null,
      userAgent: null,
      sessionCookie: null,
    });
    await expect(attempt).rejects.toThrow(ExternalSignInRefusedError);
    expect((await deps.sessions.list(userId)).length).toBe(before - 1); // the one that came by it
  });

  it.each([
    ['session.ended', { id: 'sess_race' }],
    ['user.updated', { id: 'race', banned: true }],
    ['user.deleted', { id: 'race' }],
  ])('[T-S3] [T-S5] opens nothing when Clerk tells %s while somebody signs in', async (type, data) => {
    const clerk = {
      issuer: 'https://clerk.example.org',
      secretKey: 'sk_test_x',
      jwtKey: 'not used',
      authorizedParties: ['https://tally.example.test'],
      webhookSecret: null,
      apiUrl: 'http://127.0.0.1:1',
      publishableKey: null,
      opensAccounts: true,
    };
    const externalProviders = createExternalProviders({ clerk, oidc: [] }, deps);
    const here = { ...deps, externalProviders };
    const issuerHere = { issuer: clerk.issuer, sessionId: 'sess_race' };
    const profile = async () => ({ email: `${type}@example.org`, emailVerified: true, displayName: null });
    const race = proven('race', { ...issuerHere, profile });
    const request = { proven: race, address: null, userAgent: null, sessionCookie: null };
    await sql`delete from external_memory`.execute(accounts.db);
    const { userId } = await signInExternally(here, request);
    for (const first of ['the webhook', 'the session']) {
      await sql`delete from external_memory`.execute(accounts.db);
      const event = { id: `${type} ${first}`, type, data };
      const racing: ExternalDeps = {
        ...here,
        sessions: {
          ...here.sessions,
          create: async (session) => {
            if (first === 'the webhook') await actOnClerkEvent(here, event);
            const issued = await here.sessions.create(session);
            if (first === 'the session') await actOnClerkEvent(here, event);
            return issued;
          },
        },
      };
      if (type === 'user.deleted') await linkAgain(here, userId, race);
      await expect(signInExternally(racing, request)).rejects.toThrow(ExternalSignInRefusedError);
      expect(await here.sessions.list(userId)).toEqual([]);
    }
    await deleteAccount(here, { userId, signInId: newId('signIn', 1), address: null }, { password: null });
  });

  it('goes with its account', async () => {
    const { userId, issued } = await enter(proven('erased'));
    await deleteAccount(deps, { userId, signInId: issued.session.id, address: null }, { password: null });
    expect(await selectExternalIdentities(deps.db, userId)).toEqual([]);
    expect((await enter(proven('erased'))).userId).not.toBe(userId);
  });

  it('is told of in the session that came by it, also under the next id', async () => {
    const { userId, issued } = await enter(proven('traced', { sessionId: 'there' }));
    const [identity] = await selectExternalIdentities(deps.db, userId);
    expect(issued.session.external).toEqual({ identityId: identity?.id, sessionHash: expect.any(Buffer) });
    const rotated = await deps.sessions.rotate(issued.session.id, {});
    expect(rotated?.session.external).toEqual(issued.session.external);
    expect((await deps.sessions.validate(rotated?.token ?? ''))?.external).toEqual(issued.session.external);
  });
});

describe('a flow', () => {
  it('[T-S5] is too old after ten minutes', async () => {
    const { cookie, url } = await beginFlow(deps, {
      provider: 'house',
      returnTo: '/',
      link: null,
      replaces: null,
    });
    const came = { provider: 'house', cookie, state: url.searchParams.get('state') };
    accounts.pass(FLOW_SECONDS * 1_000 - 1);
    expect(resumeFlow(deps, came)).toMatchObject({
      provider: 'house',
      returnTo: '/',
      link: null,
      replaces: null,
    });
    accounts.pass(1);
    expect(() => resumeFlow(deps, came)).toThrow(ExternalSignInRefusedError);
  });

  it('[T-S5] of another installation opens nothing here', async () => {
    await using other = await createAccountFixture();
    const foreign = { ...deps, masterKey: other.deps.masterKey };
    const { cookie, url } = await beginFlow(foreign, {
      provider: 'house',
      returnTo: '/',
      link: null,
      replaces: null,
    });
    const came = { provider: 'house', cookie, state: url.searchParams.get('state') };
    expect(() => resumeFlow(deps, came)).toThrow(ExternalSignInRefusedError);
  });

  it('asks a provider about itself once an hour', async () => {
    const asked = () => idp.asked.filter((path) => path.startsWith('/.well-known/')).length;
    accounts.pass(3_600_000);
    const begin = () => beginFlow(deps, { provider: 'house', returnTo: '/', link: null, replaces: null });
    const before = asked();
    await Promise.all([begin(), begin(), begin()]);
    expect(asked()).toBe(before + 1);
    accounts.pass(3_599_999);
    await begin();
    expect(asked()).toBe(before + 1);
    accounts.pass(1);
    await begin();
    expect(asked()).toBe(before + 2);
  });
});

describe('what is remembered', () => {
  it('is forgotten when it has expired, and not before', async () => {
    const keyHash = sha256('something');
    const memory = { kind: 'OIDC_FLOW', keyHash, expiresAtMs: 1_000 } as const;
    expect(await rememberOnce(deps.db, memory)).toBe(true);
    expect(await rememberOnce(deps.db, memory)).toBe(false);
    await deleteExpiredMemories(deps.db, 999);
    expect(await rememberOnce(deps.db, memory)).toBe(false);
    await rememberUntil(deps.db, { ...memory, expiresAtMs: 2_000 });
    await rememberUntil(deps.db, { ...memory, expiresAtMs: 500 });
    await deleteExpiredMemories(deps.db, 1_999);
    expect(await rememberOnce(deps.db, memory)).toBe(false);
    await deleteExpiredMemories(deps.db, 2_000);
    expect(await rememberOnce(deps.db, memory)).toBe(true);
  });
});

describe('a path to come back to', () => {
  it.each([
    ['/', '/'],
    ['/console', '/console'],
    ['/console/?a=b&c=%2F', '/console/?a=b&c=%2F'],
    ['/a/../b', '/b'],
    ['/page#fragment', '/page'],
    ['/@evil.example', '/@evil.example'],
    ['/authors', '/authors'],
  ])('[T-S5] is %j', (text, path) => {
    expect(parseReturnPath(text)).toBe(path);
  });

  it.each([
    '',
    'a',
    '//a',
    '/\\a',
    '/a\\b',
    '/.//a',
    '/..//a',
    '/a/..//b',
    '/ a',
    '/\na',
    '/ä',
    '/auth/oidc/x/start',
    '/x/../auth/oidc/x/start',
    'https://a',
    '/%00\u0000',
  ])('[T-S5] is not %j', (text) => {
    expect(parseReturnPath(text)).toBeUndefined();
  });
});
