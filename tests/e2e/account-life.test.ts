import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateSync } from 'otplib';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operationHash } from '../../src/clients/operation.ts';
import { findRunningPostgres } from '../../src/db/embedded/running.ts';
import { assert } from '../../src/lib/assert.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { codeIn, GOOD_PASSWORD } from '../auth/accounts/support.ts';
import { type TallylightProcess, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

const OPERATIONS = path.resolve(import.meta.dirname, '../../web/console/operations');

let dataDir: string;
let product: TallylightProcess;
let database: Client;
let url: string;
beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tallylight-life-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}/graphql`;
  product = tallylight(['start'], {
    TALLYLIGHT_DATA_DIR: dataDir,
    TALLYLIGHT_PORT: String(port),
    // Nobody at all sends a document: what people do, they do with what our pages have registered.
    TALLYLIGHT_FREE_FORM: 'never',
  });
  await product.seen(/Stop with Ctrl-C/);
  const connectionString = await findRunningPostgres(dataDir);
  assert(connectionString !== undefined, 'its database runs');
  database = new Client({ connectionString });
  await database.connect();
}, 120_000);
afterAll(async () => {
  await database.end();
  await product.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** A browser: it keeps its cookies, and sends ids of operations alone. */
function browser() {
  const cookies = new Map<string, string>();
  /** The answer of the operation with this name. */
  // What it looks like depends on the operation.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const answer = async (name: string, variables: object = {}): Promise<any> => {
    const document = await readFile(path.join(OPERATIONS, `${name}.graphql`), 'utf8');
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-tallylight-csrf': '1',
        cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join('; '),
      },
      body: JSON.stringify({ documentId: `sha256:${operationHash(document)}`, variables }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*);/.exec(line) ?? [];
      if (value === '') cookies.delete(key);
      else cookies.set(key, value);
    }
    return response.json();
  };
  /** What a mutation has come to; fails unless it was done. */
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const done = async (name: string, input: object = {}): Promise<any> => {
    const { data, errors } = await answer(name, { input });
    const payload = Object.values(data ?? {})[0];
    expect([name, errors, payload]).toEqual([
      name,
      undefined,
      expect.objectContaining({ __typename: `${name}Payload` }),
    ]);
    return payload;
  };
  /** The code that an operation is refused with. */
  const refused = async (name: string, input: object = {}): Promise<string> => {
    const { data, errors } = await answer(name, { input });
    const [result] = Object.values((data ?? {}) as Record<string, { readonly code?: string }>);
    return errors?.[0]?.extensions.code ?? result?.code ?? 'DONE';
  };
  return { answer, done, refused };
}

const read = new Set<string>();
/** The next mail to this address whose subject matches. */
async function mail(to: string, subject: RegExp): Promise<string> {
  const folder = path.join(dataDir, 'mail');
  return waitFor(
    async () => {
      for (const name of (await readdir(folder)).filter((file) => file.endsWith('.eml')).sort()) {
        if (read.has(name)) continue;
        const text = await readFile(path.join(folder, name), 'utf8');
        if (!text.includes(`To: ${to}\r\n`) || !subject.test(/^Subject: (.*)$/m.exec(text)?.[1] ?? ''))
          continue;
        read.add(name);
        return text;
      }
      return undefined;
    },
    { timeoutMs: 30_000, message: `a mail to ${to} about ${subject}` },
  );
}

/** Codes of one authenticator app, none of them twice: the one that follows is good as well. */
function app(secret: string) {
  let step = 0;
  return () => {
    step = Math.max(step + 1, Math.floor(Date.now() / 30_000));
    return generateSync({ secret, epoch: step * 30 });
  };
}

/** Signs up, confirms the address and signs in. */
async function newcomer(email: string) {
  const person = browser();
  await person.done('SignUp', { email, password: GOOD_PASSWORD, displayName: email.split('@')[0] });
  expect(await person.refused('SignIn', { email, password: 'not this one' })).toBe('INVALID_CREDENTIALS');
  expect(await person.done('SignIn', { email, password: GOOD_PASSWORD })).toMatchObject({
    factorOwed: false,
  });
  const first = codeIn(await mail(email, /Confirm/));
  await person.done('EmailVerificationResend');
  const second = codeIn(await mail(email, /Confirm/));
  expect(await person.refused('EmailVerify', { token: first })).toBe('TOKEN_INVALID');
  await person.done('EmailVerify', { token: second });
  const { viewer } = (await person.answer('Viewer')).data;
  expect(viewer).toMatchObject({ email, emailVerified: true });
  return { ...person, id: String(viewer.id) };
}

describe('the whole life of an account, by registered operations alone', { timeout: 180_000 }, () => {
  it('[T-I5] is lived from signing up to being deleted, in production', async () => {
    // The administrator, by the code that `start` prints.
    const admin = browser();
    const [, setupCode = ''] = await product.seen(/Setup code +([A-Za-z0-9_-]{22})/);
    await admin.done('SignUp', { email: 'admin@example.test', password: GOOD_PASSWORD, setupCode });
    expect(
      await admin.done('SignIn', { email: 'admin@example.test', password: GOOD_PASSWORD }),
    ).toMatchObject({
      factorOwed: true,
    });
    const adminApp = app((await admin.done('TotpBegin')).secret);
    await admin.done('TotpConfirm', { code: adminApp() });

    const [ann, bob] = [await newcomer('ann@example.test'), await newcomer('bob@example.test')];
    // An authenticator app, and a sign-in that owes it.
    const code = app((await ann.done('TotpBegin')).secret);
    const { recoveryCodes } = await ann.done('TotpConfirm', { code: code() });
    expect(recoveryCodes).toHaveLength(10);
    await ann.done('SignOut');
    const credentials = { email: 'ann@example.test', password: GOOD_PASSWORD };
    expect(await ann.done('SignIn', credentials)).toMatchObject({ factorOwed: true });
    expect(await ann.refused('ChannelConnect', { handle: 'ann.live' })).toBe('MFA_REQUIRED');
    expect((await ann.done('MfaChallengeBegin')).kinds).toEqual(['CODE', 'RECOVERY_CODE']);
    await ann.done('MfaVerify', { code: code() });
    // The phone is lost: a recovery code is good, once.
    await ann.done('SignOut');
    await ann.done('SignIn', credentials);
    const [lost = ''] = recoveryCodes;
    await ann.done('MfaVerify', { recoveryCode: lost });
    expect((await ann.answer('SecondFactors')).data.secondFactors).toMatchObject({ recoveryCodesLeft: 9 });
    expect((await ann.answer('ViewerSessions')).data.viewerSessions).toHaveLength(1);

    // A channel, a client of it, and what the client runs.
    const { channel } = await ann.done('ChannelConnect', { handle: 'ann.live' });
    const { client } = await ann.done('ClientCreate', { channelId: channel.id, name: 'Board' });
    const document = 'query Mine($id: ID!) { channel(id: $id) { handle } }';
    const published = await ann.done('ClientOperationsPublish', {
      clientId: client.id,
      operations: [{ name: 'Mine', document }],
    });
    expect(published).toMatchObject({ version: 1, documentIds: [`sha256:${operationHash(document)}`] });
    // Some minutes later what is dangerous asks for a factor again.
    await database.query(
      "update user_session set mfa_at = mfa_at - interval '6 minutes' where mfa_at is not null",
    );
    const keyRequest = { clientId: client.id, scopes: ['EVENTS_READ'], expiresInDays: 30 };
    await waitFor(
      async () =>
        (await ann.refused('ClientKeyCreate', { ...keyRequest, scopes: [] })) === 'STEP_UP_REQUIRED',
    );
    await ann.done('MfaVerify', { recoveryCode: recoveryCodes[1] });
    const { secret } = await ann.done('ClientKeyCreate', keyRequest);
    const asClient = async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify({ documentId: published.documentIds[0], variables: { id: channel.id } }),
      });
      return { status: response.status, body: await response.json() };
    };
    expect(await asClient()).toMatchObject({
      status: 200,
      body: { data: { channel: { handle: 'ann.live' } } },
    });
    expect((await ann.answer('Client', { id: client.id })).data.client).toMatchObject({
      manifestVersion: 1,
      keys: [{ prefix: secret.slice(4, 12), revokedAt: null }],
    });

    // A member, by mail; and the channel goes to them.
    const invited = { channelId: channel.id, role: 'MODERATOR', email: 'bob@example.test' };
    await ann.done('ChannelInvitationCreate', invited);
    const { edges } = (await ann.answer('ChannelInvitations', { id: channel.id })).data.channel.invitations;
    expect(edges).toMatchObject([{ node: { role: 'MODERATOR', email: 'bob@example.test' } }]);
    const token = /tli_[A-Za-z0-9_-]{43}/.exec(await mail('bob@example.test', /invited/))?.[0];
    expect(await bob.done('InvitationAccept', { token })).toMatchObject({
      membership: { role: 'MODERATOR' },
    });
    const overlayBefore = (await ann.answer('ChannelOverlay', { id: channel.id })).data.channel.overlayUrl;
    const given = await ann.done('ChannelOwnershipTransfer', { channelId: channel.id, userId: bob.id });
    expect(given).toMatchObject({
      member: { userId: bob.id, role: 'OWNER' },
      overlayUrlChanged: true,
      clientKeysRevoked: 1,
    });
    expect((await asClient()).status).toBe(401);
    const team = (await bob.answer('ChannelTeam', { id: channel.id })).data.channel.team.edges;
    expect(team.map(({ node }: { readonly node: { readonly role: string } }) => node.role).sort()).toEqual([
      'MODERATOR',
      'OWNER',
    ]);
    expect((await bob.answer('ChannelOverlay', { id: channel.id })).data.channel.overlayUrl).not.toBe(
      overlayBefore,
    );

    // What was done is in the log, for administrators.
    expect((await bob.answer('AuditEntries')).errors[0].extensions.code).toBe('FORBIDDEN');
    await admin.done('MfaVerify', { code: adminApp() });
    const entries = (await admin.answer('AuditEntries', { filter: { channelId: channel.id }, first: 50 }))
      .data;
    const actions = entries.auditEntries.edges.map(
      ({ node }: { readonly node: { readonly action: string } }) => node.action,
    );
    expect(actions).toEqual(
      expect.arrayContaining([
        'clientCreate',
        'clientOperationsPublish',
        'clientKeyCreate',
        'channelOwnershipTransfer',
      ]),
    );
    const users = (await admin.answer('Users', { first: 50 })).data.users.edges;
    expect(users).toHaveLength(3);

    // The account goes, and nobody signs in to it any more.
    expect(await ann.refused('AccountDelete', { password: 'not this one' })).toBe('INVALID_CREDENTIALS');
    await ann.done('AccountDelete', { password: GOOD_PASSWORD });
    expect((await ann.answer('Viewer')).data.viewer).toBeNull();
    expect(await ann.refused('SignIn', credentials)).toBe('INVALID_CREDENTIALS');
    expect((await bob.answer('ChannelTeam', { id: channel.id })).data.channel.team.edges).toHaveLength(1);

    // And all the while nobody could send a document.
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1' },
      body: JSON.stringify({ query: '{ viewer { id } }' }),
    });
    expect((await response.json()).errors[0].extensions.code).toBe('FREE_FORM_NOT_ALLOWED');
  });
});
