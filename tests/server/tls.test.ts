import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';
import { CONNECTIONS_PER_ADDRESS_MAX } from '../../src/server/limits.ts';
import { TlsFilesError } from '../../src/server/tls.ts';
import { type Authority, type Certificate, createAuthority, hasOpenssl } from '../support/certificates.ts';
import { waitFor } from '../support/wait.ts';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';
import { openSocket } from './socket-client.ts';

const ANSWERS = '{ __typename }';

describe.skipIf(!hasOpenssl())('the API over TLS', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tallylight-tls-'));
  const served: Certificate = {
    certPath: path.join(folder, 'served.crt'),
    keyPath: path.join(folder, 'served.key'),
  };
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(line) });
  const reloads = new Set<() => void>();
  const onReload = (act: () => void) => {
    reloads.add(act);
    return () => reloads.delete(act);
  };
  let authority: Authority;
  let api: ApiFixture;
  beforeAll(async () => {
    authority = createAuthority(path.join(folder, 'ca'));
    serve(authority.issue('first.test'));
    api = await startApiFixture({ tls: { ...served, onReload }, logger });
  });
  afterAll(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Puts a pair where the API looks for it. */
  function serve({ certPath, keyPath }: Certificate): void {
    copyFileSync(certPath, served.certPath);
    copyFileSync(keyPath, served.keyPath);
  }
  function reload(): void {
    for (const act of reloads) act();
  }
  async function handshake(versions: { maxVersion?: 'TLSv1.2' } = {}) {
    const socket = connect({
      host: '127.0.0.1',
      port: Number(new URL(api.url).port),
      ca: authority.ca,
      ...versions,
    });
    try {
      await once(socket, 'secureConnect');
      return { protocol: socket.getProtocol(), name: socket.getPeerCertificate().subject.CN };
    } finally {
      socket.destroy();
    }
  }

  it('takes TLS 1.3 and refuses a client of TLS 1.2 [T-T7]', async () => {
    expect(api.url).toMatch(/^https:/);
    expect(await handshake()).toEqual({ protocol: 'TLSv1.3', name: 'first.test' });
    await expect(handshake({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/i);
  });

  it('answers nothing in the clear on the same port [T-T7]', async () => {
    await expect(fetch(`${api.url.replace('https', 'http')}/healthz`)).rejects.toThrow();
  });

  it('tells browsers to come by TLS from now on [T-T7]', async () => {
    const request = get(`${api.url}/healthz`, { ca: authority.ca, agent: false });
    const [response] = await once(request, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(response.headers['strict-transport-security']).toMatch(/max-age=63072000/);
  });

  it('shows a new certificate to new connections while an open WebSocket lives on [T-T7]', async () => {
    using socket = await openSocket(api.url, { key: api.operatorKey, ca: authority.ca });
    serve(authority.issue('second.test'));
    reload();
    await waitFor(async () => (await handshake()).name === 'second.test', { message: 'the new certificate' });
    await expect(handshake({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/i);
    socket.subscribe('1', ANSWERS);
    expect((await socket.next('next', '1')).payload.data).toEqual({ __typename: 'Query' });
    using later = await openSocket(api.url, { key: api.operatorKey, ca: authority.ca });
    later.subscribe('1', ANSWERS);
    await later.next('complete', '1');
  });

  it.each([
    [
      'a key of another certificate',
      () => copyFileSync(authority.issue('other.test').keyPath, served.keyPath),
    ],
    ['a file that is no certificate', () => writeFileSync(served.certPath, 'nothing of the kind')],
    ['a file that is not there', () => rmSync(served.keyPath)],
  ])(
    'keeps the pair it has when the new one cannot be used, and says so: %s [T-T7]',
    async (_what, spoil) => {
      const before = await handshake();
      lines.length = 0;
      spoil();
      reload();
      await waitFor(() => lines.some((line) => line.includes('tls.reload_refused')), {
        message: 'the log line',
      });
      expect(await handshake()).toEqual(before);
      expect(lines.join('')).not.toContain('PRIVATE KEY');
    },
  );

  it('gives the place of an address back when a connection ends, however it does [T-D3]', {
    timeout: 60_000,
  }, async () => {
    const port = Number(new URL(api.url).port);
    for (let index = 0; index < CONNECTIONS_PER_ADDRESS_MAX + 50; index += 1) {
      // Half of them never speak TLS.
      if (index % 2 === 0) await handshake();
      else {
        const plain = connectPlain({ host: '127.0.0.1', port });
        await once(plain, 'connect');
        plain.resetAndDestroy();
      }
    }
    expect((await handshake()).protocol).toBe('TLSv1.3');
  });

  it('does not start with a pair that does not belong together', async () => {
    const [one, other] = [authority.issue('one.test'), authority.issue('two.test')];
    const tls = { certPath: one.certPath, keyPath: other.keyPath, onReload };
    await expect(startApiFixture({ tls })).rejects.toThrow(TlsFilesError);
  });
});
