import { describe, expect, it } from 'vitest';
import { externalSettingsOf } from '../../src/cli/external-identity.ts';
import { ConfigError, parseConfig } from '../../src/config/parse.ts';
import { VARIABLES } from '../../src/config/variables.ts';

const CANARY = 'canary-51c2-never-to-be-seen';
const PEM = `-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A${'x'.repeat(32)}\n-----END PUBLIC KEY-----`;

const noFiles = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env, noFiles);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const HOUSE = { name: 'house', title: 'The house', issuer: 'https://id.example.org', clientId: 'us' };
const providers = (...list: readonly object[]) => ({ TALLYLIGHT_OIDC_PROVIDERS: JSON.stringify(list) });

describe('the settings of providers of OpenID Connect', () => {
  it('are none by default', () => {
    expect(externalSettingsOf(parseConfig({}, noFiles).config)).toEqual({ oidc: [], clerk: null });
  });

  it('need little, and reach what talks to the provider', () => {
    const { config } = parseConfig(
      providers(
        { ...HOUSE, clientSecret: CANARY },
        { ...HOUSE, name: 'b', issuer: 'http://127.0.0.1:9/x', opensAccounts: false },
      ),
      noFiles,
    );
    expect(JSON.stringify(config)).not.toContain(CANARY);
    expect(externalSettingsOf(config).oidc).toEqual([
      {
        ...HOUSE,
        clientSecret: CANARY,
        clientAuthentication: 'client_secret_basic',
        scopes: ['openid', 'email', 'profile'],
        origins: [],
        opensAccounts: true,
      },
      {
        ...HOUSE,
        name: 'b',
        issuer: 'http://127.0.0.1:9/x',
        clientSecret: null,
        clientAuthentication: 'client_secret_basic',
        scopes: ['openid', 'email', 'profile'],
        origins: [],
        opensAccounts: false,
      },
    ]);
  });

  it('come from a file as well', () => {
    const env = { TALLYLIGHT_OIDC_PROVIDERS_FILE: '/run/secrets/oidc' };
    const { config } = parseConfig(env, () => JSON.stringify([HOUSE]));
    expect(config.external.oidc.map(({ name }) => name)).toEqual(['house']);
  });

  it('are told all that is wrong with them, where it is, and never what stands there', () => {
    const env = providers(
      { ...HOUSE, name: `Not ${CANARY}`, issuer: `http://${CANARY}.example`, clientSecret: '' },
      {
        ...HOUSE,
        clientAuthentication: CANARY,
        origins: [`https://example.org/${CANARY}`],
        scopes: ['email'],
      },
      HOUSE,
      { ...HOUSE, title: 'x\ny', name: 'clerk', issuer: 'https://id.example.org/?q=1' },
    );
    const problems = problemsOf(env);
    expect(problems).toHaveLength(1);
    for (const where of [
      '0.name',
      '0.issuer',
      '0.clientSecret',
      '1.clientAuthentication',
      '1.origins.0',
      '1.scopes',
      '3.title',
      '3.name',
      '3.issuer',
    ]) {
      expect(problems[0]).toContain(`; ${where}: `);
    }
    expect(problems[0]).not.toContain(CANARY);
  });

  it.each([
    ['no JSON', '[{"name": '],
    ['no list', JSON.stringify(HOUSE)],
    ['two of one name', JSON.stringify([HOUSE, { ...HOUSE, issuer: 'https://other.example' }])],
    ['two of one issuer', JSON.stringify([HOUSE, { ...HOUSE, name: 'other' }])],
    ['a field that means nothing', JSON.stringify([{ ...HOUSE, clientsecret: 'x' }])],
    ['an issuer with a password', JSON.stringify([{ ...HOUSE, issuer: 'https://a:b@id.example.org' }])],
    ['an issuer in the clear', JSON.stringify([{ ...HOUSE, issuer: 'http://id.example.org' }])],
    [
      'an issuer that only begins like this machine',
      JSON.stringify([{ ...HOUSE, issuer: 'http://127.0.0.1.example.org' }]),
    ],
    ['a name that could be a path', JSON.stringify([{ ...HOUSE, name: 'a/b' }])],
    [
      'more than there may be',
      JSON.stringify(
        Array.from({ length: 20 }, (_, n) => ({ ...HOUSE, name: `n${n}`, issuer: `https://n${n}.example` })),
      ),
    ],
  ])('are not %s', (_what, text) => {
    expect(problemsOf({ TALLYLIGHT_OIDC_PROVIDERS: text })).toHaveLength(1);
  });
});

describe('the settings of Clerk', () => {
  const CLERK = {
    TALLYLIGHT_CLERK_ISSUER: 'https://clerk.example.org',
    TALLYLIGHT_CLERK_SECRET_KEY: 'sk_test_0123456789abcdef',
    TALLYLIGHT_CLERK_AUTHORIZED_PARTIES: 'https://tally.example.org, https://b.example.org',
  };

  it('need three, and reach what talks to Clerk', () => {
    const { config } = parseConfig(
      { ...CLERK, TALLYLIGHT_CLERK_JWT_KEY: PEM.replaceAll('\n', '\\n') },
      noFiles,
    );
    expect(JSON.stringify(config)).not.toContain('sk_test_');
    expect(externalSettingsOf(config).clerk).toEqual({
      issuer: 'https://clerk.example.org',
      secretKey: 'sk_test_0123456789abcdef',
      authorizedParties: ['https://tally.example.org', 'https://b.example.org'],
      jwtKey: PEM,
      webhookSecret: null,
      publishableKey: null,
      apiUrl: 'https://api.clerk.com',
      opensAccounts: true,
    });
  });

  it('are all there, or none', () => {
    expect(problemsOf({ TALLYLIGHT_CLERK_ISSUER: CLERK.TALLYLIGHT_CLERK_ISSUER })).toEqual([
      'TALLYLIGHT_CLERK_ISSUER is set: it needs TALLYLIGHT_CLERK_SECRET_KEY',
      'TALLYLIGHT_CLERK_ISSUER is set: it needs TALLYLIGHT_CLERK_AUTHORIZED_PARTIES',
    ]);
    const { TALLYLIGHT_CLERK_ISSUER, ...rest } = CLERK;
    const more = {
      TALLYLIGHT_CLERK_JWT_KEY: PEM,
      TALLYLIGHT_CLERK_PUBLISHABLE_KEY: 'pk_test_x',
    };
    expect(problemsOf({ ...rest, ...more })).toEqual(
      Object.keys({ ...rest, ...more }).map((name) => `${name} is set: it needs TALLYLIGHT_CLERK_ISSUER`),
    );
  });

  it.each([
    ['TALLYLIGHT_CLERK_ISSUER', 'http://clerk.example.org'],
    ['TALLYLIGHT_CLERK_API_URL', 'http://api.example.org'],
    ['TALLYLIGHT_CLERK_AUTHORIZED_PARTIES', 'https://tally.example.org/page'],
    ['TALLYLIGHT_CLERK_JWT_KEY', PEM.replaceAll('PUBLIC', 'PRIVATE')],
    ['TALLYLIGHT_CLERK_JWT_KEY', '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n-----END PUBLIC KEY-----'],
    ['TALLYLIGHT_CLERK_WEBHOOK_SECRET', 'short'],
    ['TALLYLIGHT_CLERK_PUBLISHABLE_KEY', CLERK.TALLYLIGHT_CLERK_SECRET_KEY],
    ['TALLYLIGHT_CLERK_OPENS_ACCOUNTS', 'yes'],
  ] as const)('%s is not %j', (name, text) => {
    const problems = problemsOf({ ...CLERK, [name]: text });
    expect(problems.filter((problem) => problem.startsWith(name))).toHaveLength(1);
    if (VARIABLES[name].secret) expect(problems.join()).not.toContain(text);
  });
});
