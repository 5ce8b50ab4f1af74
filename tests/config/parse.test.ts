import { inspect } from 'node:util';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/parse.ts';
import { SECRET_MASK } from '../../src/config/secret.ts';

const CANARY = 'canary-7d1e-never-to-be-seen';
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

const noFiles = (path: string): string => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
};

function problemsOf(env: Record<string, string>, readTextFile = noFiles): readonly string[] {
  try {
    parseConfig(env, readTextFile);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('parseConfig', () => {
  it('gives every default for an empty environment', () => {
    const { config, warnings } = parseConfig({}, noFiles);
    expect(warnings).toEqual([]);
    expect(config.api).toEqual({
      host: '127.0.0.1',
      port: 4400,
      tls: null,
      publicUrl: null,
      allowedOrigins: [],
      freeForm: 'trusted',
      metricsToken: null,
      trustedProxies: [],
      costPoints: 10_000,
      costPointsPerSecond: 500,
      operationDeadlineMs: 10_000,
      conformance: false,
    });
    expect(config.database.url).toBeNull();
    expect(config.bus.redisUrl).toBeNull();
    expect(config.dataDir).toBe('./data');
    expect(config.logLevel).toBeNull();
    expect(config.development).toBe(false);
  });

  it('points at the real TikTok unless told otherwise', () => {
    const { webHost, webcastHost, signUrl } = parseConfig({}, noFiles).config.tiktok;
    expect({ webHost, webcastHost, signUrl }).toEqual({
      webHost: 'www.tiktok.com',
      webcastHost: 'webcast.tiktok.com',
      signUrl: 'https://api.eulerstream.com',
    });
  });

  it('takes an empty variable as unset', () => {
    const { config } = parseConfig({ TALLYLIGHT_PORT: '', DATABASE_URL: '' }, noFiles);
    expect(config.api.port).toBe(4400);
    expect(config.database.url).toBeNull();
  });

  it('names every wrong variable at once, with what was given and what is allowed', () => {
    expect(
      problemsOf({
        TALLYLIGHT_PORT: '70000',
        TIKTOK_PROVIDER: 'magic',
        TALLYLIGHT_DEVELOPMENT: 'yes',
        TALLYLIGHT_ALLOWED_ORIGINS: 'https://a.example, https://b.example/path',
      }),
    ).toEqual([
      'TALLYLIGHT_PORT is "70000": it must be a whole number from 0 to 65535',
      'TALLYLIGHT_ALLOWED_ORIGINS is "https://a.example, https://b.example/path": it must be origins such as https://example.com, separated by commas, without a path',
      'TIKTOK_PROVIDER is "magic": it must be one of direct, euler',
      'TALLYLIGHT_DEVELOPMENT is "yes": it must be true or false',
    ]);
  });

  it.each(['', ' ', '1e3', '0x10', '-1', '1.5', '99999999999999999999', 'NaN'])(
    'refuses %j as a number unless it is empty',
    (given) => {
      expect(problemsOf({ TALLYLIGHT_PORT: given })).toHaveLength(given === '' ? 0 : 1);
    },
  );

  it('never shows what a wrong secret was [T-I3]', () => {
    const problems = problemsOf({ DATABASE_URL: CANARY, TALLYLIGHT_MASTER_KEY: CANARY });
    expect(problems).toEqual([
      'DATABASE_URL is set to something else: it must be a URL that starts with postgres:// or postgresql://',
      'TALLYLIGHT_MASTER_KEY is set to something else: it must be 32 bytes in base64 (44 characters), for example from: openssl rand -base64 32',
    ]);
  });

  it('reads a secret from the file that its _FILE variable names, without the line end', () => {
    const { config } = parseConfig({ TALLYLIGHT_MASTER_KEY_FILE: '/run/secrets/key' }, (path) =>
      path === '/run/secrets/key' ? `${MASTER_KEY}\n` : noFiles(path),
    );
    expect(config.masterKey?.reveal()).toBe(MASTER_KEY);
  });

  it('says which secret file cannot be read, and refuses a secret given twice', () => {
    expect(
      problemsOf({
        TIKTOK_SIGN_KEY_FILE: '/nowhere',
        TALLYLIGHT_METRICS_TOKEN: CANARY,
        TALLYLIGHT_METRICS_TOKEN_FILE: '/nowhere',
      }),
    ).toEqual([
      'TALLYLIGHT_METRICS_TOKEN and TALLYLIGHT_METRICS_TOKEN_FILE are both set: give only one of them',
      'TIKTOK_SIGN_KEY_FILE is "/nowhere": the file cannot be read (ENOENT)',
    ]);
  });

  it('refuses a shortest back-off above the longest', () => {
    expect(problemsOf({ TALLYLIGHT_BACKOFF_MIN_MS: '5000', TALLYLIGHT_BACKOFF_MAX_MS: '1000' })).toHaveLength(
      1,
    );
  });

  it('warns of variables that are ours by name and unknown, and of nothing else', () => {
    const { warnings } = parseConfig(
      { TALLYLIGHT_PROT: '1', TIKTOK_SIGNKEY: CANARY, TALLYLIGHT_PORT_FILE: '/x', PATH: '/bin' },
      noFiles,
    );
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual([
      'TALLYLIGHT_PROT',
      'TIKTOK_SIGNKEY',
      'TALLYLIGHT_PORT_FILE',
    ]);
    expect(warnings.join()).not.toContain(CANARY);
  });

  it('gives a tree that cannot be changed', () => {
    const { config } = parseConfig({ TALLYLIGHT_ALLOWED_ORIGINS: 'https://a.example' }, noFiles);
    expect(() => Object.assign(config.api, { port: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config, { api: null })).toThrow(TypeError);
    expect(() => (config.api.allowedOrigins as string[]).push('https://b.example')).toThrow(TypeError);
  });

  it('prints no secret: neither as text, nor as JSON, nor inspected, nor in a log line [T-I3]', () => {
    const { config } = parseConfig(
      {
        DATABASE_URL: `postgres://user:${CANARY}@db.example/tallylight`, // not-a-secret: the canary of this test
        REDIS_URL: `redis://:${CANARY}@redis.example`,
        TIKTOK_SIGN_KEY: CANARY,
        TALLYLIGHT_METRICS_TOKEN: CANARY,
        TALLYLIGHT_MASTER_KEY: MASTER_KEY,
      },
      noFiles,
    );
    const logged: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => logged.push(line) });
    logger.info({ config, url: config.database.url }, 'config.read');
    logger.error(new Error(`failed with ${config.database.url}`), 'config.failed');
    const shown = [
      ...logged,
      JSON.stringify(config),
      inspect(config, { depth: 10, showHidden: true }),
      String(config.database.url),
      `${config.tiktok.signKey}`,
      Object.values(config.database.url ?? {}).join(),
    ].join('\n');
    expect(shown).toContain(SECRET_MASK);
    expect(shown).not.toContain(CANARY);
    expect(shown).not.toContain(MASTER_KEY);
    expect(config.tiktok.signKey?.reveal()).toBe(CANARY);
  });
});
