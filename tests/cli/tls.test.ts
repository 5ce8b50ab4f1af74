import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exposureWarning } from '../../src/cli/exposure.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { openSocket } from '../server/socket-client.ts';
import { createAuthority, hasOpenssl } from '../support/certificates.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createInstallation } from '../support/installation.ts';
import { run, tallylight } from '../support/tallylight-process.ts';
import { waitFor } from '../support/wait.ts';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'tallylight-tls-'));
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!hasOpenssl())('tallylight with a certificate', { timeout: 60_000 }, () => {
  it('serves a new certificate after SIGHUP, keeps open sockets, and is found by doctor [T-T7]', async () => {
    const authority = createAuthority(join(folder, 'ca'));
    const first = authority.issue('first.test');
    await using installation = await createInstallation({
      DATABASE_URL: database.url,
      TLS_CERT_FILE: first.certPath,
      TLS_KEY_FILE: first.keyPath,
    });
    const url = installation.url.replace('http:', 'https:');
    await using product = tallylight(['start', '--rate', '1'], installation.env);
    await product.seen(/Stop with Ctrl-C/);
    expect(product.stdout()).toContain(`${url}/graphql`);

    using socket = await openSocket(url, { key: installation.operatorKey, ca: authority.ca });
    const second = authority.issue('second.test');
    copyFileSync(second.certPath, first.certPath);
    copyFileSync(second.keyPath, first.keyPath);
    product.child.kill('SIGHUP');
    await waitFor(async () => (await nameOf(url, authority.ca)) === 'second.test', {
      message: 'the new name',
    });
    socket.subscribe('1', '{ __typename }');
    await socket.next('complete', '1');

    const doctor = await run(['doctor'], installation.env);
    expect(doctor.stdout).toContain(`OK    api           ${url} answers.`);
    expect(await product.stop('SIGTERM')).toBe(0);
  });
});

async function nameOf(url: string, ca: string): Promise<unknown> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().subject.CN;
  } finally {
    socket.destroy();
  }
}

describe('an API in the clear', () => {
  const warningOf = (env: Record<string, string>) => exposureWarning(parseConfig(env, () => '').config);

  it('is warned about when other machines reach it and nothing says that TLS stands before it [T-T7]', () => {
    expect(warningOf({ TALLYLIGHT_HOST: '0.0.0.0' })).toMatch(/0\.0\.0\.0 in the clear.*TLS_CERT_FILE/);
    expect(warningOf({ TALLYLIGHT_HOST: '::', TALLYLIGHT_PUBLIC_URL: 'http://example.org' })).not.toBeNull();
  });

  it.each<Record<string, string>>([
    {},
    { TALLYLIGHT_HOST: 'localhost' },
    { TALLYLIGHT_HOST: '::1' },
    { TALLYLIGHT_HOST: '0.0.0.0', TALLYLIGHT_PUBLIC_URL: 'https://example.org' },
    { TALLYLIGHT_HOST: '0.0.0.0', TLS_CERT_FILE: '/a', TLS_KEY_FILE: '/b' },
  ])('is not warned about otherwise: %o', (env) => {
    expect(warningOf(env)).toBeNull();
  });

  it('is not what somebody gets who gave half of a pair', () => {
    expect(() => warningOf({ TLS_CERT_FILE: '/a' })).toThrow(
      /TLS_CERT_FILE and TLS_KEY_FILE belong together: set both, or none/,
    );
  });

  it.each<Record<string, string>>([
    {},
    { REDIS_URL: 'redis://r.example' },
    { REDIS_URL: 'rediss://a.example, redis://b.example' },
  ])('is not believed to be Redis by TLS because of a file of its authority: %o [T-T7]', (env) => {
    expect(() => warningOf({ ...env, TALLYLIGHT_REDIS_CA_FILE: '/ca' })).toThrow(
      /TALLYLIGHT_REDIS_CA_FILE is set: it needs a REDIS_URL that starts with rediss:/,
    );
  });
});
