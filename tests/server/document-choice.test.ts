import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionStore, DEFAULT_SESSION_OPTIONS } from '../../src/auth/sessions/create-session-store.ts';
import { ANONYMOUS, type ChannelRole, type PlatformRole, type Viewer } from '../../src/auth/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChannelId, uuidFromId } from '../../src/lib/ids.ts';
import { FREE_FORM, type FreeForm, mayWriteDocuments } from '../../src/server/document-choice.ts';
import { insertBareFactor, insertBareUser } from '../support/account.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

const user = (
  role: ChannelRole | null,
  platformRole: PlatformRole = 'USER',
  mfa: 'DONE' | 'MISSING' = 'DONE',
): Viewer => ({
  kind: 'USER',
  userId: 'usr_1' as never, // only compared
  platformRole,
  emailVerified: true,
  credential: { kind: 'SESSION', id: 'sig_1' as never },
  mfa,
  freshUntilMs: null,
  memberships: new Map(role === null ? [] : [['cha_1' as ChannelId, role]]),
  staffAccess: new Set(),
});
const VIEWERS: Readonly<Record<string, Viewer>> = {
  anonymous: ANONYMOUS,
  'without a channel': user(null),
  viewer: user('VIEWER'),
  moderator: user('MODERATOR'),
  owner: user('OWNER'),
  'owner who owes a factor': user('OWNER', 'USER', 'MISSING'),
  administrator: user(null, 'ADMIN'),
  'administrator who owes a factor': user(null, 'ADMIN', 'MISSING'),
  compliance: user(null, 'COMPLIANCE'),
  operator: { kind: 'OPERATOR', accessKeyId: 'key_1' as never },
  overlay: { kind: 'OVERLAY', accessKeyId: 'key_1' as never, channelId: 'cha_1' as ChannelId },
  client: {
    kind: 'CLIENT',
    clientId: 'cli_1' as never,
    keyId: 'key_1' as never,
    channelId: 'cha_1' as ChannelId,
    scopes: new Set(['EVENTS_READ']),
    allowedOrigins: new Set(),
    costPerMinute: null,
  },
};
const PEOPLE = Object.keys(VIEWERS).filter((name) => name !== 'overlay' && name !== 'client');

describe('who may write documents', () => {
  it.each<
    [FreeForm, { readonly inProduction: readonly string[]; readonly inDevelopment: readonly string[] }]
  >([
    ['never', { inProduction: [], inDevelopment: [] }],
    ['development', { inProduction: [], inDevelopment: PEOPLE }],
    ['trusted', { inProduction: ['owner', 'administrator', 'operator'], inDevelopment: PEOPLE }],
    ['anybody', { inProduction: PEOPLE, inDevelopment: PEOPLE }],
  ])('[T-I5] by `%s` is these and nobody else', (freeForm, { inProduction, inDevelopment }) => {
    const those = (development: boolean) =>
      Object.entries(VIEWERS).flatMap(([name, viewer]) =>
        mayWriteDocuments(viewer, { freeForm, development }) ? [name] : [],
      );
    expect(those(false)).toEqual(inProduction);
    expect(those(true)).toEqual(inDevelopment);
  });

  it('[T-I5] has a row here for each setting', () => {
    expect([...FREE_FORM].toSorted()).toEqual(['anybody', 'development', 'never', 'trusted']);
  });
});

describe('by the default, over HTTP, event streams and WebSocket', () => {
  let fixture: ApiFixture;
  let channel: Awaited<ReturnType<ApiFixture['channel']>>;
  beforeAll(async () => {
    fixture = await startApiFixture({ freeForm: 'trusted' });
    channel = await fixture.channel('writes.documents');
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  /** The cookie of somebody who is this in the channel, and an access token of theirs. */
  async function signIn(role: ChannelRole, platformRole: PlatformRole = 'USER') {
    const userId = await insertBareUser(fixture, { role: platformRole });
    if (platformRole !== 'USER') await insertBareFactor(fixture.db, userId);
    await sql`insert into channel_member (channel_id, user_id, role)
      values (${uuidFromId(channel.id)}, ${uuidFromId(userId)}, ${role})`.execute(fixture.db);
    const sessions = createSessionStore({ ...fixture, clock: systemClock }, DEFAULT_SESSION_OPTIONS);
    const mfaAt = platformRole === 'USER' ? null : systemClock.nowMs();
    const { token } = await sessions.create({ userId, mfaAt, userAgent: null, address: null });
    return `__Host-tl_session=${token}`;
  }
  const send = async (headers: Readonly<Record<string, string>>) => {
    const response = await fetch(`${fixture.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tallylight-csrf': '1', ...headers },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    return response.text();
  };

  it.each<[string, () => Promise<Readonly<Record<string, string>>>, boolean]>([
    ['nobody in particular', async () => ({}), false],
    ['a viewer', async () => ({ cookie: await signIn('VIEWER') }), false],
    ['a moderator', async () => ({ cookie: await signIn('MODERATOR') }), false],
    ['an owner', async () => ({ cookie: await signIn('OWNER') }), true],
    ['an administrator', async () => ({ cookie: await signIn('VIEWER', 'ADMIN') }), true],
    ['compliance', async () => ({ cookie: await signIn('MODERATOR', 'COMPLIANCE') }), false],
    ['the operator', async () => ({ authorization: `Bearer ${fixture.operatorKey}` }), true],
    ['an overlay', async () => ({ authorization: `Bearer ${channel.overlayKey}` }), false],
  ])('[T-I5] %s', async (_who, credentials, may) => {
    const headers = await credentials();
    const expected = may ? '"data":{"__typename":"Query"}' : '"code":"FREE_FORM_NOT_ALLOWED"';
    expect(await send(headers)).toContain(expected);
    expect(await send({ ...headers, accept: 'text/event-stream' })).toContain(expected);
    const key = headers.authorization?.slice('Bearer '.length);
    if (key === undefined) return;
    using client = await openSocket(fixture.url, { key });
    client.send({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } });
    const frame = await Promise.race([client.next('next', '1'), client.next('error', '1')]);
    expect(JSON.stringify(frame)).toContain(expected);
  });
});
