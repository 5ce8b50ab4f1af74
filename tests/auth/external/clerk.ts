import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import type { ClerkSettings } from '../../../src/auth/external/clerk/settings.ts';

/** The address that tokens name; nothing is asked there. */
export const CLERK_ISSUER = 'https://clerk.tally.example.org';
/** Where our pages are. */
export const PAGE = 'https://tally.example.org';
// Of this test, and good for nothing else.
export const WEBHOOK_SECRET = `whsec_${Buffer.from('a secret of the tests, 32 bytes!').toString('base64')}`;

/** A user as Clerk's API tells of them: what is read here, and little else. */
export interface ClerkUser {
  readonly email?: string;
  readonly status?: 'verified' | 'unverified' | 'expired';
  /** Other addresses, all verified. */
  readonly others?: readonly string[];
  readonly banned?: boolean;
  readonly locked?: boolean;
}

/** Clerk's API on loopback, with a key of our own; its SDK is the real one. */
export interface Clerk extends AsyncDisposable {
  readonly settings: ClerkSettings;
  readonly publicPem: string;
  readonly users: Map<string, ClerkUser>;
  readonly asked: string[];
  readonly state: { away: boolean };
  /** A session token, right but for what is given. A claim that is undefined is left out. */
  token(
    claims?: Record<string, unknown>,
    options?: { readonly key?: CryptoKey; readonly kid?: string },
  ): Promise<string>;
}

export async function startClerk(): Promise<Clerk> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const publicPem = await exportSPKI(publicKey);
  const jwk = { ...(await exportJWK(publicKey)), kid: 'ins_one', alg: 'RS256', use: 'sig' };
  const users = new Map<string, ClerkUser>();
  const asked: string[] = [];
  const state = { away: false };
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    asked.push(`${request.method} ${path}`);
    const send = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (state.away) return send(503, { errors: [] });
    if (request.headers.authorization !== 'Bearer sk_test_of_the_loopback') return send(401, { errors: [] });
    if (path === '/v1/jwks') return send(200, { keys: [jwk] });
    const id = /^\/v1\/users\/([^/]+)$/.exec(path)?.[1];
    const user = id === undefined ? undefined : users.get(decodeURIComponent(id));
    if (user === undefined)
      return send(404, { errors: [{ code: 'resource_not_found', message: 'not found' }] });
    return send(200, userJson(id ?? '', user));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let serial = 0;
  return {
    settings: {
      issuer: CLERK_ISSUER,
      secretKey: 'sk_test_of_the_loopback',
      jwtKey: publicPem,
      authorizedParties: [PAGE],
      webhookSecret: WEBHOOK_SECRET,
      apiUrl,
      publishableKey: 'pk_test_x',
      opensAccounts: true,
    },
    publicPem,
    users,
    asked,
    state,
    token: (claims = {}, { key = privateKey, kid = 'ins_one' } = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      serial += 1;
      const right = {
        iss: CLERK_ISSUER,
        sub: 'user_one',
        sid: 'sess_one',
        azp: PAGE,
        iat: now,
        nbf: now - 10,
        exp: now + 60,
        sts: 'active',
        v: 2,
        jti: String(serial),
      };
      // Leaves out what is undefined.
      const payload = JSON.parse(JSON.stringify({ ...right, ...claims }));
      return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(key);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function userJson(
  id: string,
  { email, status = 'verified', others = [], banned = false, locked = false }: ClerkUser,
): object {
  const address = (name: string, text: string, verification: string) => ({
    object: 'email_address',
    id: name,
    email_address: text,
    verification: { object: 'verification_otp', status: verification, strategy: 'email_code' },
    linked_to: [],
  });
  return {
    object: 'user',
    id,
    first_name: 'Cleo',
    last_name: 'Clerk',
    primary_email_address_id: email === undefined ? null : 'idn_primary',
    email_addresses: [
      ...others.map((text, index) => address(`idn_${index}`, text, 'verified')),
      ...(email === undefined ? [] : [address('idn_primary', email, status)]),
    ],
    phone_numbers: [],
    web3_wallets: [],
    external_accounts: [],
    saml_accounts: [],
    banned,
    locked,
  };
}
