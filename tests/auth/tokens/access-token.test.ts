import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueAccessToken, verifyAccessToken } from '../../../src/auth/tokens/access-token.ts';
import {
  createSigningKeys,
  rotateSigningKeys,
  type SigningKeys,
} from '../../../src/auth/tokens/signing-keys.ts';
import { newId } from '../../../src/lib/ids.ts';
import { parseMasterKey } from '../../../src/privacy/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const MINUTE_MS = 60_000;
const PUBLIC_URL = 'https://tally.example';
const clock = { now: Date.UTC(2030, 0, 1), nowMs: () => clock.now };
const masterKey = parseMasterKey(randomBytes(32).toString('base64'));
const userId = newId('user', 1);
const grant = newId('signIn', 1);
let database: TestDatabase;
let keys: SigningKeys;
const deps = () => ({ keys, clock, publicUrl: PUBLIC_URL });
const verify = (token: string) => verifyAccessToken(deps(), token);
beforeAll(async () => {
  database = await createTestDatabase();
  keys = await createSigningKeys({ db: database.db, masterKey, clock });
});
afterAll(() => database[Symbol.asyncDispose]());

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decoded = (part = ''): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString());
const signed = (header: object, payload: object, privateKey: KeyObject) => {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
};
/** A token of ours taken apart, and what puts one together with our own key: only what is changed is wrong with it. */
async function forge() {
  const { token } = await issueAccessToken(deps(), { userId, grant });
  const [head, body, signature] = token.split('.');
  const { privateKey } = await keys.active();
  return { token, header: decoded(head), payload: decoded(body), signature: signature ?? '', privateKey };
}

describe('access tokens', () => {
  it('say who holds them, for five minutes', async () => {
    const { token, expiresAtMs } = await issueAccessToken(deps(), { userId, grant });
    expect(expiresAtMs).toBe(clock.now + 5 * MINUTE_MS);
    expect(await verify(token)).toEqual({ userId, grant, expiresAtMs });
    const [head, body] = token.split('.');
    const kid = (await keys.active()).kid;
    expect(decoded(head)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid });
    expect(decoded(body)).toEqual({
      iss: PUBLIC_URL,
      aud: `${PUBLIC_URL}/graphql`,
      sub: userId,
      sid: grant,
      jti: expect.any(String),
      iat: clock.now / 1_000,
      exp: expiresAtMs / 1_000,
    });
    const family = newId('tokenFamily', 1);
    const other = await issueAccessToken(deps(), { userId, grant: family });
    expect(await verify(other.token)).toMatchObject({ grant: family });
  });

  it('are refused once they have expired [T-S2]', async () => {
    const { token } = await issueAccessToken(deps(), { userId, grant });
    clock.now += 5 * MINUTE_MS + 4_000;
    expect(await verify(token)).not.toBeNull(); // clocks may be 5 s apart
    clock.now += 1_000;
    expect(await verify(token)).toBeNull();
  });

  it('are refused with another algorithm, even when our public key verifies it [T-S2]', async () => {
    const { header, payload, privateKey } = await forge();
    const body = encoded(payload);
    const { keys: published } = await keys.published();
    const jwk = published.find(({ kid }) => kid === header.kid);
    const secrets = [
      JSON.stringify(jwk),
      Buffer.from(jwk?.x ?? '', 'base64url'),
      (await keys.verifier(String(header.kid)))?.export({ format: 'pem', type: 'spki' }) ?? '',
      '',
    ];
    const forged = secrets.flatMap((secret) =>
      ['HS256', 'HS512', 'EdDSA'].map((alg) => {
        const input = `${encoded({ ...header, alg })}.${body}`;
        return `${input}.${createHmac(alg === 'HS512' ? 'sha512' : 'sha256', secret)
          .update(input)
          .digest('base64url')}`;
      }),
    );
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 'RS256', 'ES256', 'PS256', 'Ed448']) {
      forged.push(`${encoded({ ...header, alg })}.${body}.`);
      forged.push(`${encoded({ ...header, alg })}.${body}.${'A'.repeat(86)}`);
      forged.push(signed({ ...header, alg }, payload, privateKey));
    }
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const input = `${encoded({ ...header, alg: 'RS256' })}.${body}`;
    forged.push(`${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`);
    for (const token of forged) expect(await verify(token), token).toBeNull();
  });

  it('are refused with a key that they bring or point at themselves [T-S2]', async () => {
    const { header, payload, privateKey } = await forge();
    const own = generateKeyPairSync('ed25519');
    const jwk = own.publicKey.export({ format: 'jwk' });
    const extras = [
      { jwk },
      { jku: 'https://evil.test/jwks.json' },
      { x5u: 'https://evil.test/cert.pem' },
      { x5c: ['MIIB'] },
      { jwk, kid: undefined },
      { crit: ['exp'] },
      { crit: ['b64'], b64: true },
      { zip: 'DEF' },
    ];
    for (const extra of extras) {
      expect(await verify(signed({ ...header, ...extra }, payload, own.privateKey))).toBeNull();
      // Nor when our own key signed it: nobody who signs for us writes such headers.
      expect(await verify(signed({ ...header, ...extra }, payload, privateKey))).toBeNull();
    }
  });

  it('are refused with a key id that is missing, made up, or a path [T-S2]', async () => {
    const { header, payload, privateKey } = await forge();
    const kids = [
      undefined,
      null,
      '',
      0,
      [header.kid],
      { a: 1 },
      '../../../../dev/null',
      "' or 1=1 --",
      'A'.repeat(43),
      String(header.kid).toLowerCase(),
      `${header.kid} `,
      `${header.kid}\u0000`,
    ];
    for (const kid of kids) {
      expect(await verify(signed({ ...header, kid }, payload, privateKey)), String(kid)).toBeNull();
    }
    const next = (await keys.published()).keys.find(({ kid }) => kid !== header.kid);
    expect(await verify(signed({ ...header, kid: next?.kid }, payload, privateKey))).toBeNull();
  });

  it('are refused when a claim is missing or not ours [T-S2]', async () => {
    const { header, payload, privateKey } = await forge();
    const nowS = Math.floor(clock.now / 1_000);
    const changes: readonly Record<string, unknown>[] = [
      ...['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'].map((claim) => ({ [claim]: undefined })),
      { iss: 'https://evil.test' },
      { iss: `${PUBLIC_URL}/` },
      { aud: PUBLIC_URL },
      { aud: ['https://evil.test/graphql'] },
      { sub: 'usr_1' },
      { sub: newId('channel', 1) },
      { sid: newId('channel', 1) },
      { sid: [grant] },
      { exp: nowS - 6 },
      { exp: String(nowS + 60) },
      { exp: Number.MAX_SAFE_INTEGER, iat: nowS - 11 * 60 },
      { iat: nowS + 60 },
      { nbf: nowS + 60 },
    ];
    for (const change of changes) {
      expect(
        await verify(signed(header, { ...payload, ...change }, privateKey)),
        JSON.stringify(change),
      ).toBeNull();
    }
    for (const typ of [undefined, 'JWT', 'jwt', 'id+jwt', 'logout+jwt', '']) {
      expect(await verify(signed({ ...header, typ }, payload, privateKey)), String(typ)).toBeNull();
    }
    expect(await verify(signed(header, payload, privateKey))).not.toBeNull();
  });

  it('are refused when any bit of them is another [T-S2]', async () => {
    const { token } = await forge();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const survivors: number[] = [];
    for (let at = 0; at < token.length; at += 1) {
      const value = alphabet.indexOf(token[at] ?? '');
      // One bit of each character; of the last of a part, each of the six, since some of them mean nothing.
      const isLast = token[at + 1] === '.' || at === token.length - 1;
      for (const bit of value < 0 ? [] : isLast ? [1, 2, 4, 8, 16, 32] : [1 << (at % 6)]) {
        const changed = `${token.slice(0, at)}${alphabet[value ^ bit]}${token.slice(at + 1)}`;
        if ((await verify(changed)) !== null) survivors.push(at);
      }
    }
    expect(survivors).toEqual([]);
  });

  it('have one spelling: no padding, no spaces, no parts more or less [T-S2]', async () => {
    const { token } = await forge();
    const [head, body, signature] = token.split('.');
    const others = [
      `${token}=`,
      `${token} `,
      ` ${token}`,
      `${token}\n`,
      `${head}=.${body}.${signature}`,
      `${head} .${body}.${signature}`,
      `${head}.${body}`,
      `${token}.`,
      `.${token}`,
      `${token}.${signature}`,
      `${head}..${signature}`,
      token.replaceAll('-', '+').replaceAll('_', '/').concat('='),
      JSON.stringify({ protected: head, payload: body, signature }),
      `${head}.${'A'.repeat(100_000)}.${signature}`,
    ];
    for (const other of others) expect(await verify(other)).toBeNull();
  });
});

describe('signing keys', () => {
  it('are published without their private halves, the next one ahead of its use [T-S2]', async () => {
    const { keys: published } = await keys.published();
    expect(published).toHaveLength(2);
    for (const key of published) {
      expect(key).toEqual({
        kty: 'OKP',
        crv: 'Ed25519',
        x: expect.any(String),
        kid: expect.any(String),
        alg: 'EdDSA',
        use: 'sig',
      });
    }
    const rows = await database.db.selectFrom('signing_key').selectAll().execute();
    const active = await keys.active();
    const pkcs8 = active.privateKey.export({ format: 'der', type: 'pkcs8' });
    expect(rows.some(({ private_key }) => private_key.includes(pkcs8.subarray(-32)))).toBe(false);
  });

  it('are made once when several processes start at once', async () => {
    await using other = await createTestDatabase();
    const made = await Promise.all(
      Array.from({ length: 5 }, () => createSigningKeys({ db: other.db, masterKey, clock })),
    );
    const kids = await Promise.all(made.map(async (store) => (await store.active()).kid));
    expect(new Set(kids).size).toBe(1);
    expect(await other.db.selectFrom('signing_key').select('state').orderBy('state').execute()).toEqual([
      { state: 'ACTIVE' },
      { state: 'NEXT' },
    ]);
  });

  it('rotate with overlap: two processes accept what either signed, before and after [T-S2]', async () => {
    await using other = await createTestDatabase();
    const own = { db: other.db, masterKey, clock };
    const [one, two] = [await createSigningKeys(own), await createSigningKeys(own)];
    const issue = (store: SigningKeys) =>
      issueAccessToken({ keys: store, clock, publicUrl: PUBLIC_URL }, { userId, grant });
    const accepts = async (store: SigningKeys, token: string) =>
      (await verifyAccessToken({ keys: store, clock, publicUrl: PUBLIC_URL }, token)) !== null;
    const before = await issue(one);
    const first = (await one.active()).kid;
    const { activeKid, nextKid } = await rotateSigningKeys(own);
    expect(new Set([first, activeKid, nextKid]).size).toBe(3);
    // What signs now was published before.
    expect((await two.published()).keys.map(({ kid }) => kid)).toContain(activeKid);
    // The process that has not looked yet signs with the retired key, which others go on accepting.
    const late = await issue(two);
    clock.now += MINUTE_MS;
    expect((await one.active()).kid).toBe(activeKid);
    const after = await issue(one);
    for (const store of [one, two]) {
      for (const { token } of [before, late, after]) expect(await accepts(store, token)).toBe(true);
    }
    // A second rotation right away: the other process has never seen the key that signs then, and looks once.
    const second = await rotateSigningKeys(own);
    clock.now += 5_000;
    expect(second.activeKid).toBe(nextKid);
    const third = await createSigningKeys(own);
    const newest = await issue(third);
    expect(await accepts(two, newest.token)).toBe(true);
    // The first key goes once everything it signed has expired.
    clock.now += 15 * MINUTE_MS;
    expect((await one.published()).keys.map(({ kid }) => kid)).not.toContain(first);
    expect(await one.verifier(first)).toBeNull();
    await rotateSigningKeys(own);
    const states = await other.db.selectFrom('signing_key').select(['kid', 'state']).execute();
    expect(states.map(({ kid }) => kid)).not.toContain(first);
  });

  it('rotate one after the other when they are rotated ten times at once', async () => {
    await using other = await createTestDatabase();
    const own = { db: other.db, masterKey, clock };
    await createSigningKeys(own);
    const rotated = await Promise.all(Array.from({ length: 10 }, () => rotateSigningKeys(own)));
    expect(new Set(rotated.map(({ activeKid }) => activeKid)).size).toBe(10);
    const states = await other.db
      .selectFrom('signing_key')
      .select('state')
      .where('state', '<>', 'RETIRED')
      .execute();
    expect(states).toHaveLength(2);
  });

  it('are looked for in the database at most every 5 s, however many ids are made up [T-D2]', async () => {
    let statements = 0;
    const db = database.db.withPlugin({
      transformQuery: ({ node }) => {
        statements += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const store = await createSigningKeys({ db, masterKey, clock });
    await store.active();
    clock.now += 5_000;
    const before = statements;
    for (let made = 0; made < 100; made += 1) {
      expect(await store.verifier(randomBytes(32).toString('base64url'))).toBeNull();
    }
    expect(statements - before).toBe(1);
  });

  it('are no use to who can write to the database but has no master key [T-S2]', async () => {
    await using other = await createTestDatabase();
    await createSigningKeys({ db: other.db, masterKey, clock });
    const own = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    await other.db
      .updateTable('signing_key')
      .set({ public_key: own })
      .where('state', '=', 'ACTIVE')
      .execute();
    const store = await createSigningKeys({ db: other.db, masterKey, clock });
    await expect(store.published()).rejects.toThrow('whose private half we sealed');
    const strangers = await createSigningKeys({
      db: database.db,
      masterKey: parseMasterKey(randomBytes(32).toString('base64')),
      clock,
    });
    await expect(strangers.active()).rejects.toThrow('the seal does not fit');
  });
});
