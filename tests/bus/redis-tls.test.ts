import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisTls } from '../../src/bus/redis/connections.ts';
import { createRedisBus } from '../../src/bus/redis-bus.ts';
import { DependencyError } from '../../src/errors/errors.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createRedisLimiter } from '../../src/limits/redis-limiter.ts';
import { type Authority, createAuthority, hasOpenssl } from '../support/certificates.ts';
import { describeBusContract } from './contract.ts';
import { hasRedisServer, type PrivateRedis, redisBusOptions, startPrivateRedis } from './redis-support.ts';

const PASSWORD = 'a password / of many: words';

describe.skipIf(!hasOpenssl() || !hasRedisServer())(
  'Redis over TLS, as the user of docs/redis-users.acl',
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tallylight-redis-tls-'));
    const cleanup = new AsyncDisposableStack();
    let ours: Authority;
    let server: PrivateRedis;
    let url: string;
    let tls: RedisTls;
    beforeAll(async () => {
      ours = createAuthority(path.join(folder, 'ours'));
      const [own, client] = [ours.issue('redis.test', ['IP:127.0.0.1']), ours.issue('tallylight')];
      const port = await freePort();
      // As it stands in the documents, but for the password and the prefix.
      const users = readFileSync(path.resolve(import.meta.dirname, '../../docs/redis-users.acl'), 'utf8')
        .replace('>change-me', `#${sha256(PASSWORD)}`)
        .replaceAll('{tallylight:*', '{test-*');
      const aclPath = path.join(folder, 'users.acl');
      writeFileSync(aclPath, users);
      server = cleanup.use(
        await startPrivateRedis([
          ...['--tls-port', String(port), '--aclfile', aclPath, '--tls-ca-cert-file', ours.caPath],
          ...['--tls-cert-file', own.certPath, '--tls-key-file', own.keyPath, '--tls-auth-clients', 'yes'],
        ]),
      );
      url = `rediss://tallylight:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
      tls = {
        ca: ours.ca,
        cert: readFileSync(client.certPath, 'utf8'),
        key: readFileSync(client.keyPath, 'utf8'),
      };
    });
    afterAll(async () => {
      await cleanup.disposeAsync();
      rmSync(folder, { recursive: true, force: true });
    });

    describeBusContract('Redis by TLS with least privilege [T-S6]', async (settings) => {
      const bus = await createRedisBus(redisBusOptions({ url, tls, ...settings }));
      return { bus, [Symbol.asyncDispose]: () => bus.close() };
    });

    it('holds the limits too', async () => {
      const logger = createLogger('silent');
      const limiter = await createRedisLimiter({
        url,
        tls,
        keyPrefix: 'test-limits',
        secret: Buffer.alloc(32),
        clock: systemClock,
        logger,
      });
      try {
        expect(await limiter.consume('somebody', 1, { capacity: 1, restorePerSecond: 1 })).toMatchObject({
          allowed: true,
        });
        expect(await limiter.consume('somebody', 1, { capacity: 1, restorePerSecond: 0.01 })).toMatchObject({
          allowed: false,
        });
      } finally {
        limiter.close();
      }
    });

    it.each([
      ['a key of another installation', ['get', 'other']],
      ['a key of another installation', ['hset', '{other:s0}:head', 'sequence', '1']],
      ['a topic of another installation', ['spublish', '{other:t:access}', 'x']],
      ['every key there is', ['keys', '*']],
      ['the settings', ['config', 'get', '*']],
      ['the users', ['acl', 'list']],
      ['all data', ['flushall']],
    ])('does not reach %s: %j [T-S6] [T-T3]', async (_what, [command = '', ...args]) => {
      const client = new Redis(url, { tls, lazyConnect: true, retryStrategy: null });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await expect(client.call(command, args)).rejects.toThrow(/NOPERM/);
      } finally {
        client.disconnect();
      }
    });

    it.each<[string, RegExp, () => { url?: string; tls?: RedisTls }]>([
      [
        'the server has a certificate of another authority',
        /certificate/,
        () => ({ tls: { ...tls, ca: createAuthority(path.join(folder, 'strangers')).ca } }),
      ],
      ['the server has another name', /altnames/, () => ({ url: url.replace('127.0.0.1', 'localhost') })],
      ['we show no certificate and the server wants one', /./, () => ({ tls: { ca: ours.ca } })],
      ['the password is wrong', /./, () => ({ url: url.replace(encodeURIComponent(PASSWORD), 'guessed') })],
      ['nobody signs in, in the clear', /./, () => ({ url: server.url })],
    ])('connects to nobody when %s [T-S6] [T-T7]', async (_what, reason, difference) => {
      const options = redisBusOptions({ url, tls, ...difference() });
      const attempt = createRedisBus(options);
      await expect(attempt).rejects.toThrow(DependencyError);
      await expect(attempt).rejects.toThrow(reason);
      await expect(attempt).rejects.not.toThrow(/guessed/);
    });
  },
);

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
