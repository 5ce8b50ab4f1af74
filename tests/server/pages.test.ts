import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFixture, startApiFixture } from './api-fixture.ts';

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await startApiFixture({ metricsToken: 'monitoring-token' });
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** The status of a path sent as it is: fetch would tidy it up. */
function rawStatus(path: string, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(fixture.url);
    request({ hostname, port, path, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}

describe('the overlay pages', () => {
  it('come with a policy under which only our scripts run and only pictures come from elsewhere', async () => {
    const response = await fetch(`${fixture.url}/overlay/`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/html; charset=utf-8',
      '<!doctype html><title>overlay</title>',
    ]);
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none';script-src 'self';style-src 'self';connect-src 'self';img-src 'self' https:",
    );
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('are not sent again while they are the same', async () => {
    const first = await fetch(`${fixture.url}/overlay/overlay.js?v=1`);
    const etag = first.headers.get('etag') ?? '';
    expect([first.headers.get('content-type'), first.headers.get('cache-control')]).toEqual([
      'text/javascript; charset=utf-8',
      'no-cache',
    ]);
    const again = await fetch(`${fixture.url}/overlay/overlay.js`, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it('are the files of their kind in the directory and nothing beyond', async () => {
    const { status, headers } = await fetch(`${fixture.url}/overlay`, { redirect: 'manual' });
    expect([status, headers.get('location')]).toEqual([308, '/overlay/']);
    for (const path of [
      '/overlay/secret.txt',
      '/overlay/../package.json',
      '/overlay/..%2f..%2fpackage.json',
      '/overlay/%2e%2e/package.json',
      '/overlay/....//overlay.js',
      '/overlay/%00',
      '/overlay/__proto__',
      '/nothing',
    ]) {
      expect([path, await rawStatus(path)]).toEqual([path, 404]);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS']) {
      expect([method, await rawStatus('/overlay/', method)]).toEqual([method, 405]);
    }
    expect(await rawStatus('/overlay/', 'HEAD')).toBe(200);
  });
});

describe('health', () => {
  it('is told to everybody, also to a local page that has no origin', async () => {
    const response = await fetch(`${fixture.url}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  });

  it('names the part that keeps the process from being ready', async () => {
    const ready = await fetch(`${fixture.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', parts: { server: 'ok', database: 'ok', bus: 'ok' } },
    ]);
    await using broken = await startApiFixture();
    await broken.bus.close();
    const response = await fetch(`${broken.url}/readyz`);
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'not ready', parts: { server: 'ok', database: 'ok', bus: 'failing' } },
    ]);
  });

  it('lets a monitoring token read metrics and nothing else', async () => {
    const headers = { authorization: 'Bearer monitoring-token' };
    expect((await fetch(`${fixture.url}/metrics`, { headers })).status).toBe(200);
    expect((await fixture.post({ query: '{ __typename }' }, 'monitoring-token')).status).toBe(401);
    const wrong = { authorization: 'Bearer monitoring-tokem' };
    expect((await fetch(`${fixture.url}/metrics`, { headers: wrong })).status).toBe(401);
  });
});

describe('a second API', () => {
  it('on a taken port says so in one sentence', async () => {
    const port = Number(new URL(fixture.url).port);
    await expect(startApiFixture({ port })).rejects.toThrow(
      `Another program listens on 127.0.0.1:${port}: stop it, or set TALLYLIGHT_PORT to a free port.`,
    );
    await expect(startApiFixture({ host: '203.0.113.1' })).rejects.toThrow(
      '203.0.113.1 is not an address of this machine',
    );
  });
});

describe('the page of errors', () => {
  it('explains the code that an error links to', async () => {
    const refused = await fetch(`${fixture.url}/nowhere`);
    const { errors } = await refused.json();
    expect(errors[0].extensions).toMatchObject({ code: 'NOT_FOUND', docs: '/docs/errors#NOT_FOUND' });
    const page = await fetch(new URL(errors[0].extensions.docs, fixture.url));
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('id="NOT_FOUND"');
  });
});
