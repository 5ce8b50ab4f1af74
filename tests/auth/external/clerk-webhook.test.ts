import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from '../../server/api-fixture.ts';
import { Browser } from './browser.ts';
import { type Clerk, startClerk, WEBHOOK_SECRET } from './clerk.ts';
import { audited, counts, localUser, VIEWER } from './support.ts';

const SIGN_IN = `mutation ($input: ClerkSignInInput!) { clerkSignIn(input: $input) {
  __typename ... on UserError { code } } }`;

const LINK = `mutation ($input: ExternalIdentityLinkClerkInput!) { externalIdentityLinkClerk(input: $input) {
  __typename ... on UserError { code } } }`;

let clerk: Clerk;
let fixture: ApiFixture;
beforeAll(async () => {
  clerk = await startClerk();
  fixture = await startApiFixture({
    trustedProxies: ['127.0.0.1'],
    external: { clerk: clerk.settings, oidc: [] },
  });
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await clerk[Symbol.asyncDispose]();
});

interface Sent {
  readonly id?: string;
  readonly at?: Date;
  readonly secret?: string;
  /** What is sent in place of what was signed. */
  readonly body?: string;
}

/** Sends a webhook as Clerk does: signed, but for what is given. */
async function send(
  type: string,
  data: object,
  { id = `msg_${randomUUID()}`, at = new Date(), secret = WEBHOOK_SECRET, body }: Sent = {},
): Promise<number> {
  const text = JSON.stringify({
    type,
    object: 'event',
    data,
    timestamp: at.getTime(),
    instance_id: 'ins_one',
  });
  const response = await fetch(`${fixture.url}/webhooks/clerk`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'svix-id': id,
      'svix-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'svix-signature': new Webhook(secret).sign(id, at, text),
    },
    body: body ?? text,
  });
  await response.body?.cancel();
  return response.status;
}

/** Somebody who has signed in with this session of Clerk. */
async function signedIn(user: string, session: string): Promise<Browser> {
  clerk.users.set(user, { email: `${user}@example.org` });
  const browser = new Browser(fixture.url);
  const sessionToken = await clerk.token({ sub: user, sid: session });
  const { data } = await browser.ask(SIGN_IN, { input: { sessionToken } });
  expect(data.clerkSignIn.__typename).toBe('ClerkSignInPayload');
  return browser;
}
const isIn = async (browser: Browser) => (await browser.ask(VIEWER)).data.viewer !== null;
const exchange = async (user: string, session: string) => {
  const input = { sessionToken: await clerk.token({ sub: user, sid: session }) };
  return (await new Browser(fixture.url).ask(SIGN_IN, { input })).data.clerkSignIn;
};

describe('a webhook of Clerk', () => {
  it.each(['session.ended', 'session.removed', 'session.revoked'])(
    '[T-S3] %s ends what came of that session, and no other',
    async (type) => {
      const user = `user_${type.replace('.', '_')}`;
      const first = await signedIn(user, `sess_a_${type}`);
      const second = await signedIn(user, `sess_b_${type}`);
      expect(await send(type, { id: `sess_a_${type}`, user_id: user })).toBe(204);
      expect([await isIn(first), await isIn(second)]).toEqual([false, true]);
      expect(await audited(fixture, 1)).toEqual(['clerkSessionEnded DONE']);
      // A token of it that is still good opens nothing more.
      expect(await exchange(user, `sess_a_${type}`)).toMatchObject({ code: 'EXTERNAL_SIGN_IN_REFUSED' });
      expect(await exchange(user, `sess_b_${type}`)).toMatchObject({ __typename: 'ClerkSignInPayload' });
      // Nor does it link.
      const local = await localUser(fixture, `local-${type}@example.org`);
      const sessionToken = await clerk.token({ sub: user, sid: `sess_a_${type}` });
      const { data } = await local.ask(LINK, { input: { sessionToken } });
      expect(data.externalIdentityLinkClerk).toMatchObject({ code: 'EXTERNAL_SIGN_IN_REFUSED' });
    },
  );

  it('[T-S3] finds what came of a session under the id it goes on with', async () => {
    const browser = await signedIn('user_rotated', 'sess_rotated');
    const before = browser.cookie('__Host-tl_session')?.value;
    await browser.ask(
      'mutation { passwordChange(input: { password: "walnut-harbour-sixty-mitten" }) { __typename } }',
    );
    expect(browser.cookie('__Host-tl_session')?.value).not.toBe(before);
    expect(await isIn(browser)).toBe(true);
    expect(await send('session.revoked', { id: 'sess_rotated', user_id: 'user_rotated' })).toBe(204);
    expect(await isIn(browser)).toBe(false);
  });

  it.each([{ banned: true }, { locked: true }])(
    '[T-S5] ends all that came by who is %j, and keeps them out',
    async (state) => {
      const user = `user_${Object.keys(state)[0]}`;
      const browsers = [await signedIn(user, 'sess_1'), await signedIn(user, 'sess_2')];
      const other = await signedIn('user_other', `sess_of_other_${user}`);
      expect(await send('user.updated', { id: user, banned: false, locked: false, ...state })).toBe(204);
      for (const browser of browsers) expect(await isIn(browser)).toBe(false);
      expect(await isIn(other)).toBe(true);
      expect(await audited(fixture, 1)).toEqual(['clerkUserLocked DONE']);
      expect(await exchange(user, 'sess_3')).toMatchObject({ code: 'EXTERNAL_SIGN_IN_REFUSED' });
    },
  );

  it('[T-S5] unlinks who was deleted: the account stays, and is reached by its mail alone', async () => {
    const browser = await signedIn('user_gone', 'sess_gone');
    const { id } = (await browser.ask(VIEWER)).data.viewer;
    const before = await counts(fixture);
    clerk.users.delete('user_gone');
    expect(await send('user.deleted', { id: 'user_gone', deleted: true, object: 'user' })).toBe(204);
    expect(await isIn(browser)).toBe(false);
    const after = await counts(fixture);
    expect(after).toEqual({ ...before, identities: before.identities - 1, sessions: before.sessions - 1 });
    expect(await audited(fixture, 1)).toEqual(['clerkUserDeleted DONE']);
    expect(await exchange('user_gone', 'sess_gone_2')).toMatchObject({ code: 'EXTERNAL_SIGN_IN_REFUSED' });
    // The code for a password goes to the address, beside the word that the identity is gone.
    await new Browser(fixture.url).ask(
      'mutation { passwordResetRequest(input: { email: "user_gone@example.org" }) { __typename } }',
    );
    await expect
      .poll(async () => {
        const { rows } = await sql<{ count: number }>`select count(*)::int as count from outgoing_mail m
          where m.user_id::text = ${id.slice(4)}::uuid::text`.execute(fixture.db);
        return rows[0]?.count;
      })
      .toBe(2);
  });

  it.each([
    ['user.updated', { id: 'user_kept', banned: false, locked: false }],
    ['user.created', { id: 'user_kept' }],
    ['session.created', { id: 'sess_kept', user_id: 'user_kept' }],
    ['something.new', { id: 'user_kept' }],
    ['user.deleted', { id: 'user_that_nobody_knows' }],
    ['user.deleted', {}],
    ['session.ended', { id: 7 }],
    ['session.ended', { id: 'sess_that_nobody_knows' }],
  ])('is acknowledged when it is nothing to us: %s %j', async (type, data) => {
    const browser = await signedIn('user_kept', 'sess_kept');
    const before = await counts(fixture);
    expect(await send(type, data)).toBe(204);
    expect(await counts(fixture)).toEqual(before);
    expect(await isIn(browser)).toBe(true);
  });
});

describe('what poses as a webhook of Clerk', () => {
  const END = { id: 'sess_target', user_id: 'user_target' };
  const refused = async (sent: Sent, status = 401) => {
    const browser = await signedIn('user_target', 'sess_target');
    expect(await send('session.revoked', END, sent)).toBe(status);
    expect(await isIn(browser)).toBe(true);
  };

  it('[T-S5] is refused when another secret signed it', () =>
    refused({ secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }));

  it('[T-S5] is refused when its body is another than was signed', () =>
    refused({ body: JSON.stringify({ type: 'session.revoked', data: { ...END, more: 1 } }) }));

  it.each([-301, 301, -86_400])('[T-S5] is refused when it was signed %d seconds from now', (seconds) =>
    refused({ at: new Date(Date.now() + seconds * 1_000) }),
  );

  it('is refused when what was signed is no event', async () => {
    const id = `msg_${randomUUID()}`;
    const at = new Date();
    for (const text of ['', 'x', '[]', '"x"', '{"type":1}', '{"type":"session.revoked","data":[]}']) {
      const response = await fetch(`${fixture.url}/webhooks/clerk`, {
        method: 'POST',
        headers: {
          'svix-id': id,
          'svix-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'svix-signature': new Webhook(WEBHOOK_SECRET).sign(id, at, text),
        },
        body: text,
      });
      expect(response.status).toBe(401);
    }
  });

  it.each(['svix-id', 'svix-timestamp', 'svix-signature'])('is refused without %s', async (missing) => {
    const headers: Record<string, string> = {
      'svix-id': 'msg_1',
      'svix-timestamp': '1',
      'svix-signature': 'v1,x',
    };
    delete headers[missing];
    const response = await fetch(`${fixture.url}/webhooks/clerk`, { method: 'POST', headers, body: '{}' });
    expect(response.status).toBe(400);
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('is refused by %s', async (method) => {
    const response = await fetch(`${fixture.url}/webhooks/clerk`, { method });
    expect({ status: response.status, allow: response.headers.get('allow') }).toEqual({
      status: 405,
      allow: 'POST',
    });
  });

  it('[T-D4] is not read beyond 256 kB, whether or not it says how long it is', async () => {
    const HEAD =
      'POST /webhooks/clerk HTTP/1.1\r\nHost: x\r\nsvix-id: a\r\nsvix-timestamp: 1\r\nsvix-signature: v1,x\r\n';
    const answerTo = async (texts: readonly string[]): Promise<string> => {
      const { hostname, port } = new URL(fixture.url);
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      for (const text of texts) socket.write(text);
      let answer = '';
      for await (const data of socket) {
        answer += String(data);
        if (answer.includes('\r\n\r\n')) break;
      }
      socket.destroy();
      return answer.slice(0, 12);
    };
    // Nothing of it has come yet.
    expect(await answerTo([HEAD, `Content-Length: ${256 * 1024 + 1}\r\n\r\n`])).toBe('HTTP/1.1 413');
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    expect(await answerTo([HEAD, 'Transfer-Encoding: chunked\r\n\r\n', ...Array(9).fill(chunk)])).toBe(
      'HTTP/1.1 413',
    );
  });

  it('[T-S5] counts once by its id: again, and of many at once', async () => {
    const id = `msg_${randomUUID()}`;
    await signedIn('user_target', 'sess_repeated');
    const before = await counts(fixture);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send('session.ended', { id: 'sess_repeated' }, { id })),
    );
    expect(answers).toEqual(Array(8).fill(204));
    expect((await counts(fixture)).sessions).toBe(before.sessions - 1);
    expect(await audited(fixture, 2)).toEqual(['clerkSessionEnded DONE', 'clerkSignIn DONE']);
    // What came of that session later, however it did, is none of what the event was about.
    const later = await signedIn('user_target', 'sess_later');
    await sql`update user_session s set external_session_hash = m.key_hash from external_memory m
      where m.kind = 'CLERK_ENDED' and s.external_session_hash is not null
      and m.expires_at = (select max(expires_at) from external_memory where kind = 'CLERK_ENDED')`.execute(
      fixture.db,
    );
    expect(await send('session.ended', { id: 'sess_repeated' }, { id })).toBe(204);
    expect(await isIn(later)).toBe(true);
    // The same word under another id is another event.
    expect(await send('session.ended', { id: 'sess_repeated' })).toBe(204);
    expect(await isIn(later)).toBe(false);
  });

  it('has nobody to go to where Clerk is not set up, or without a secret for it', async () => {
    for (const external of [undefined, { clerk: { ...clerk.settings, webhookSecret: null }, oidc: [] }]) {
      await using api = await startApiFixture(external === undefined ? {} : { external });
      const response = await fetch(`${api.url}/webhooks/clerk`, { method: 'POST', body: '{}' });
      expect(response.status).toBe(404);
      const { data, errors } = await new Browser(api.url).ask(SIGN_IN, { input: { sessionToken: 'x' } });
      expect(errors).toBeUndefined();
      expect(data.clerkSignIn.code).toBe(
        external === undefined ? 'EXTERNAL_PROVIDER_UNKNOWN' : 'EXTERNAL_SIGN_IN_REFUSED',
      );
    }
  });
});
